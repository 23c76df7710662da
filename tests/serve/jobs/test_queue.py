"""The queue of uploads to release (jobs.queue, jobs.store): continued, ended, given up."""

import json
import os
import shutil
import signal
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import numpy as np
import psutil
import pytest

import homing
from homing.c2pa import active_manifest
from homing.files.small_json import decode
from homing.images.metadata.metadata import manifest_store
from homing.options import Activation
from homing.serve.jobs.queue import JobQueue
from homing.serve.jobs.store import JobFolder, JobPicture
from homing.serve.settings import Settings
from homing.serve.tasks.processes import LOST, do_nothing
from homing.serve.tasks.release import Releaser, release_pictures, try_activation
from homing.workers.processes import LostTaskError
from tests.helpers.edits import edits
from tests.helpers.service import encoded, picture


@pytest.fixture
def settings(empty_archive, tmp_path):
    shutil.copytree(empty_archive, tmp_path / "archive")
    return Settings(archive=str(tmp_path / "archive"), folder=tmp_path / "served")


class Releasing:
    """Does releases in this process; pictures with some names simulate the end of it."""

    def __init__(self, archive, deadly=(), how=LostTaskError):
        self.archive, self.deadly, self.how = archive, set(deadly), how
        self.tried = []

    def submit(self, task):
        made = Future()
        try:
            made.set_result(self._done(task))
        except (homing.HomingError, OSError, MemoryError) as error:
            made.set_exception(error)
        return made

    def _done(self, task):
        if task is do_nothing:
            return None
        assert task.func is release_pictures
        _, manifest, *_ = task.args
        lines = manifest.read_text().splitlines()
        ids = [line.split('"id": "')[1].split('"')[0] for line in lines]
        self.tried.append(ids)
        if self.deadly & set(ids):
            raise self.how("gone")
        return task(archive=homing.open(self.archive))


@pytest.fixture
def made(settings):
    """``made()``: the jobs of a service, as each start of it makes them."""

    def make(**options):
        problems, ended = [], []
        releasing = Releasing(settings.archive, **options)

        def note(job, error):
            problems.append((job, error))

        jobs = JobQueue(settings, releasing, note, ended.append)
        jobs.problems, jobs.ended, jobs.tried = problems, ended, releasing.tried
        return jobs

    return make


def nothing(*given):
    pass


def drafted(jobs, count):
    jobs._folder.mkdir(parents=True, exist_ok=True)
    draft = jobs.draft(Activation(method="paper"))
    for number in range(count):
        draft.add(JobPicture(f"{number}.jpg", f"{number}.jpg"), encoded(picture(number)), "JPEG")
    return draft


def until_done(jobs, token):
    until = time.monotonic() + 240  # a busy machine starts processes slowly
    while time.monotonic() < until:
        job = jobs.get(token)
        if job.state != "running":
            return job
        time.sleep(0.05)
    raise AssertionError


def statuses(job):
    return [outcome["status"] for outcome in job.outcomes]


def test_what_is_on_disk_of_a_job_stays_readable(made, settings):
    """``job.json`` outlives the code: its keys must not follow a class that may grow."""
    jobs = made()
    job = drafted(jobs, 1).commit()
    written = json.loads((settings.folder / "jobs" / job.token / "job.json").read_bytes())
    assert written["settings"] == {"psnr": 42.0, "method": "paper", "format": None}
    assert written["pictures"][0].keys() == {"name", "id", "file", "reason"}
    assert JobFolder(settings.folder / "jobs" / job.token).job() == job


def test_unfinished_jobs_are_continued_and_unacknowledged_ones_are_gone(made, settings):
    jobs = made()
    complete = drafted(jobs, 3).commit()
    lost = drafted(jobs, 1)
    with made() as later:
        done = until_done(later, complete.token)
    assert statuses(done) == ["released"] * 3
    assert later.get(lost.token) is None
    assert not list((settings.folder / "jobs").glob(".*"))
    assert len(homing.open(settings.archive)) == 3


def test_an_end_in_the_middle_leaves_whole_pictures_and_the_rest_for_later(made, settings):
    with made() as first:
        job = drafted(first, 12).commit()
        first.put(job)
        time.sleep(0.3)  # in the middle of the pictures
    half = first.get(job.token)
    assert len(half.outcomes) in (0, 8, 12)
    with made() as later:
        done = until_done(later, job.token)
    assert [outcome["id"] for outcome in done.outcomes] == [f"{n}.jpg" for n in range(12)]
    archive = homing.open(settings.archive)
    assert len(archive) == 12
    assert archive.verify().clean
    left = {path.name for path in (settings.folder / "jobs" / job.token).iterdir()}
    assert not {name for name in left if name.endswith(".jpg") or name == "begun.json"}


def test_a_job_that_fails_says_why_and_the_next_is_done(made, settings):
    settings.folder.mkdir()
    (settings.folder / "released").write_text("in the way")
    with made() as jobs:
        job = drafted(jobs, 1).commit()
        jobs.put(job)
        failed = until_done(jobs, job.token)
        assert failed.state == "failed"
        assert failed.failed
        assert str(settings.folder) not in failed.failed  # the details are for the log
        assert [token for token, _ in jobs.problems] == [job.token]
        (settings.folder / "released").unlink()
        other = drafted(jobs, 2).commit()
        jobs.put(other)
        assert until_done(jobs, other.token).state == "done"
    with made() as later:
        assert until_done(later, job.token).state == "done"


def test_a_failure_without_a_culprit_is_not_counted(made, settings):
    job = drafted(made(), 2).commit()
    for _ in range(3):
        with made(deadly={"0.jpg"}, how=homing.ArchiveError) as jobs:
            assert until_done(jobs, job.token).state == "failed"
    with made() as later:
        assert statuses(until_done(later, job.token)) == ["released"] * 2


@pytest.mark.parametrize("how", [LostTaskError, MemoryError])
def test_a_picture_that_ends_its_process_costs_itself_alone(made, settings, how):
    with made(deadly={"2.jpg"}, how=how) as jobs:
        job = drafted(jobs, 10).commit()
        jobs.put(job)
        done = until_done(jobs, job.token)
    assert statuses(done) == ["released"] * 2 + ["failed"] + ["released"] * 7
    failed = done.outcomes[2]
    assert failed["id"] == failed["source"] == "2.jpg"
    assert failed["reason"].startswith("given up after 2 tries: releasing it takes more than")
    tries = [ids for ids in jobs.tried if "2.jpg" in ids]
    assert [len(ids) for ids in tries] == [8, 1]  # tried with the others, then alone
    assert len(jobs.problems) == 2
    assert len(homing.open(settings.archive)) == 9


def test_a_picture_that_ends_the_service_each_time_is_given_up_after_two(made, settings):
    """A process that dies leaves the record that it wrote before it began."""
    job = drafted(made(), 3).commit()
    place = JobFolder(settings.folder / "jobs" / job.token)
    place.write_attempts({0: 1, 1: 1, 2: 1})  # the first process died with all three
    with made() as second:
        until_started(second, 1)
        assert second.tried[0] == ["0.jpg"]
        assert statuses(until_done(second, job.token)) == ["released"] * 3
    again = drafted(made(), 3).commit()
    JobFolder(settings.folder / "jobs" / again.token).write_attempts({0: 2, 1: 1, 2: 1})
    with made() as third:
        done = until_done(third, again.token)
    assert statuses(done)[0] == "failed"
    assert "given up after 2 tries" in done.outcomes[0]["reason"]
    assert third.tried == [["1.jpg"], ["2.jpg"]]


def until_started(jobs, count):
    for _ in range(600):
        if len(jobs.tried) >= count:
            return
        time.sleep(0.02)
    raise AssertionError


def test_files_are_signed_where_the_service_has_credentials(settings, credentials):
    signing = replace(settings, c2pa=credentials)
    with JobQueue(signing, Releasing(settings.archive), nothing, nothing) as jobs:
        job = drafted(jobs, 1).commit()
        jobs.put(job)
        (outcome,) = until_done(jobs, job.token).outcomes
    row = homing.open(settings.archive).entry("0.jpg")
    assert outcome["c2pa_manifest"] == row.metadata["c2pa_manifest"]
    assert row.metadata["c2pa_endpoint"] == credentials.endpoint
    file = settings.folder / "released" / job.token / "0.jpg"
    assert active_manifest(manifest_store(file.read_bytes())) == outcome["c2pa_manifest"]


class NeverReady:
    def submit(self, task):
        return Future()


def test_an_end_does_not_wait_for_a_process_that_is_being_started(settings):
    start = time.monotonic()
    with JobQueue(settings, NeverReady(), nothing, nothing) as jobs:
        job = drafted(jobs, 1).commit()
        jobs.put(job)
    assert time.monotonic() - start < 5
    assert jobs.get(job.token).state == "running"
    assert JobFolder(settings.folder / "jobs" / job.token).read_attempts() == {}


def crash(archive):
    os._exit(11)


def swell(archive):
    return len(np.ones(1 << 30, np.uint8).tobytes())


def processes():
    """Return the child processes that do tasks."""
    return {
        child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())
    }


@pytest.mark.slow
def test_real_processes_are_bounded_killed_and_replaced(settings):
    """After a crash, too much memory or a kill the next task is done all the same."""
    before = processes()
    small = Settings(archive=settings.archive, folder=settings.folder, memory=64 << 20)
    activation = Activation(method="paper")
    trying = partial(try_activation, encoded(picture(1)), activation, small.limits)
    with Releaser(small) as releaser:
        for bad in (crash, swell):
            with pytest.raises(LOST):
                releaser.submit(bad).result()
            tried = releaser.submit(trying).result()
            assert tried.psnr >= 42
        with pytest.raises(homing.PictureError, match="not a picture"):
            releaser.submit(partial(try_activation, b"x", activation, small.limits)).result()
        problems = []
        with JobQueue(small, releaser, lambda *problem: problems.append(problem), nothing) as jobs:
            job = drafted(jobs, 3).commit()
            killer = threading.Timer(0.2, kill_all, [before])
            killer.start()
            jobs.put(job)
            done = until_done(jobs, job.token)
            killer.join()
        assert statuses(done) == ["released"] * 3
        assert len(problems) <= 1
    assert processes() <= before


def kill_all(before):
    for process in processes() - before:
        process.kill()


def interrupted(task, archive):
    """Do a task after its process gets the signal to end."""
    signal.raise_signal(signal.SIGTERM)
    return [outcome.status for outcome in task(archive=archive)]


@pytest.mark.slow
def test_a_task_under_way_is_finished_when_all_processes_get_the_signal_to_end(settings, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(encoded(picture(1)))
    (tmp_path / "list.jsonl").write_text('{"path": "a.jpg", "id": "a"}\n')
    task = partial(
        release_pictures,
        tmp_path / "photos",
        tmp_path / "list.jsonl",
        tmp_path / "out",
        Activation(method="paper"),
        settings.limits,
        None,
    )
    with Releaser(settings) as releaser:
        assert releaser.submit(partial(interrupted, task)).result() == ["released"]
        start = time.monotonic()
    assert time.monotonic() - start < 4  # idle processes end at the signal


def whole_job(jobs, count=2):
    draft = drafted(jobs, count)
    job = draft.commit()
    place = JobFolder(jobs._folder / job.token)
    place.write_attempts({1: 1})
    place.add_outcomes(
        0, [{"source": "0", "status": "failed", "id": "0", "reason": "no", "seconds": 0.1}]
    )
    return job.token, place


@pytest.mark.parametrize("name", ["job.json", "outcomes-000000.json", "begun.json"])
def test_edited_files_cost_their_job_and_nothing_else(made, name):
    jobs = made()
    token, place = whole_job(jobs)
    file = jobs._folder / token / name
    for edit, text, surely in edits(decode(file.read_bytes())):
        file.write_text(text)
        jobs._resume(token)
        answer = jobs.get(token)
        assert answer.state in ("running", "done", "failed"), edit
        if surely and name != "begun.json":  # that one is read when the job is continued
            assert answer.state == "failed", edit
            assert "damaged" in answer.as_dict()["reason"], edit
        assert place.damage() or not surely, edit


@pytest.mark.parametrize("name", ["job.json", "begun.json"])
def test_a_service_starts_with_a_damaged_job_and_does_the_others(made, name):
    jobs = made()
    damaged, _ = whole_job(jobs)
    sound = drafted(jobs, 2).commit().token
    (jobs._folder / damaged / name).write_text("{")
    with made() as again:
        until_done(again, sound)
        assert until_done(again, damaged).state == "failed"
    assert [token for token, _ in again.problems] == [damaged]


def test_files_of_earlier_versions_are_read(made):
    jobs = made()
    token, place = whole_job(jobs)
    folder = jobs._folder / token
    before = place.job(), place.read_attempts()
    for name, key in (
        ("job.json", None),
        ("outcomes-000000.json", "outcomes"),
        ("begun.json", "attempts"),
    ):
        values = decode((folder / name).read_bytes())
        (folder / name).write_text(json.dumps(values if key is None else values[key]))
    assert (place.job(), place.read_attempts()) == before
