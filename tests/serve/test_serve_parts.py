"""Pictures decoded apart, queries answered together, jobs."""

import asyncio
import os
import shutil
import time
from concurrent.futures import wait
from dataclasses import dataclass

import numpy as np
import psutil
import pytest
from serve_parts import encoded, picture

import homing
from homing.archive.asked import Asked
from homing.images import DEFAULT_LIMITS
from homing.search import query_views
from homing.serve.batching import Batcher
from homing.serve.decoding import Decoders, Look
from homing.serve.jobs import Jobs, Picture, ReleaseSettings


@dataclass(frozen=True)
class Crash:
    def do(self):
        os._exit(11)


@dataclass(frozen=True)
class Hang:
    def do(self):
        time.sleep(60)


@dataclass(frozen=True)
class Swell:
    def do(self):
        return len(np.ones(1 << 30, np.uint8).tobytes())


def test_what_a_picture_does_to_a_decoder_costs_one_request():
    before = children()
    look = Look(encoded(picture(1)), 64, "upright", DEFAULT_LIMITS)

    async def run():
        with Decoders(1, 256 << 20, 1.0) as decoders:
            for bad in (Crash(), Hang(), Swell()):
                start = time.monotonic()
                with pytest.raises(homing.PictureError, match="256 MiB"):
                    await decoders.run(bad)
                assert time.monotonic() - start < 10
                (view,) = await decoders.run(look)
                assert view.name == "upright"
            with pytest.raises(homing.PictureError, match="not a picture"):
                await decoders.run(Look(b"x", 64, "upright", DEFAULT_LIMITS))

    asyncio.run(run())
    assert children() <= before


def children():
    return {
        process.pid
        for process in psutil.Process().children()
        if "spawn_main" in " ".join(process.cmdline())
    }


def test_queries_are_answered_together_as_they_are_alone(empty_archive, tmp_path):
    shutil.copytree(empty_archive, tmp_path / "archive")
    archive = homing.open(tmp_path / "archive")
    files = tmp_path / "files"
    files.mkdir()
    for number in range(12):
        (files / f"{number}.jpg").write_bytes(encoded(picture(number)))
    archive.add(files)
    queries = [encoded(picture(number)) for number in range(12)]
    ways = [Asked(k=2), Asked(k=2, views="turned"), Asked(k=1, probes=3)]
    batches = []
    with Batcher(
        archive.descriptor, archive.answer, most=16, wait=0.05, on_batch=batches.append
    ) as batcher:
        asked = [
            (data, way, batcher.ask(query_views(data, 64, way.views), way))
            for data in queries
            for way in ways
        ]
        nothing = batcher.ask([], Asked())
        wait([future for _, _, future in asked])
        assert nothing.result().hits == ()
        assert len(batcher) == 0
    assert sum(batches) == 37
    assert max(batches) > 1
    for data, way, future in asked:
        alone = archive.search(data, k=way.k, views=way.views, probes=way.probes)
        together = future.result().hits
        assert [hit.id for hit in together] == [hit.id for hit in alone]
        for one, other in zip(together, alone, strict=True):
            assert one.similarity == pytest.approx(other.similarity, abs=1e-5)


def test_a_failure_reaches_all_who_asked(empty_archive):
    archive = homing.open(empty_archive)

    def fails(*_):
        raise homing.ArchiveError("gone")

    with Batcher(archive.descriptor, fails, most=4, wait=0.01) as batcher:
        views = query_views(encoded(picture(1)), 64, "upright")
        futures = [batcher.ask(views, Asked()) for _ in range(3)]
        for future in futures:
            with pytest.raises(homing.ArchiveError, match="gone"):
                future.result(10)


@pytest.fixture
def jobs(empty_archive, tmp_path):
    shutil.copytree(empty_archive, tmp_path / "archive")
    problems = []
    made = Jobs(
        tmp_path / "served",
        lambda: homing.open(tmp_path / "archive"),
        DEFAULT_LIMITS,
        lambda job, error: problems.append((job, error)),
    )
    made.problems = problems
    made.again = lambda: Jobs(
        tmp_path / "served",
        lambda: homing.open(tmp_path / "archive"),
        DEFAULT_LIMITS,
        lambda job, error: problems.append((job, error)),
    )
    return made


def drafted(jobs, count, **settings):
    (jobs._folder).mkdir(parents=True, exist_ok=True)
    draft = jobs.draft(ReleaseSettings(42.0, "paper", **settings))
    for number in range(count):
        draft.add(Picture(f"{number}.jpg", f"{number}.jpg"), encoded(picture(number)), "JPEG")
    return draft


def until_done(jobs, token):
    for _ in range(600):
        job = jobs.get(token)
        if job.state != "running":
            return job
        time.sleep(0.05)
    raise AssertionError


def test_what_was_left_is_taken_up_and_what_was_not_acknowledged_is_gone(jobs, tmp_path):
    kept = drafted(jobs, 3).commit()
    lost = drafted(jobs, 1)
    with jobs.again() as later:
        done = until_done(later, kept.token)
    assert [outcome["status"] for outcome in done.outcomes] == ["released"] * 3
    assert later.get(lost.token) is None
    assert not list((tmp_path / "served" / "jobs").glob(".*"))
    assert len(homing.open(tmp_path / "archive")) == 3


def test_an_end_in_the_middle_leaves_whole_pictures_and_the_rest_for_later(jobs, tmp_path):
    with jobs as first:
        job = drafted(first, 12).commit()
        first.put(job)
        time.sleep(0.3)  # somewhere within
    half = first.get(job.token)
    assert len(half.outcomes) in (0, 8, 12)
    with jobs.again() as later:
        done = until_done(later, job.token)
    assert [outcome["id"] for outcome in done.outcomes] == [f"{n}.jpg" for n in range(12)]
    archive = homing.open(tmp_path / "archive")
    assert len(archive) == 12
    assert archive.verify().clean
    assert not list((tmp_path / "served" / "jobs" / job.token).glob("*.jpg"))


def test_a_job_that_fails_says_why_and_the_next_is_done(jobs, tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "released").write_text("in the way")
    with jobs:
        job = drafted(jobs, 1).commit()
        jobs.put(job)
        failed = until_done(jobs, job.token)
        assert failed.state == "failed"
        assert failed.failed
        assert [token for token, _ in jobs.problems] == [job.token]
        (tmp_path / "served" / "released").unlink()
        other = drafted(jobs, 2).commit()
        jobs.put(other)
        assert until_done(jobs, other.token).state == "done"
    with jobs.again() as later:
        assert until_done(later, job.token).state == "done"
