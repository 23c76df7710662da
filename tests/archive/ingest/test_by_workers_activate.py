"""Releases by several workers, which are killed meanwhile: the same files, each once."""

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import homing
from homing.archive import archive as archives
from homing.archive.ingest import by_workers
from homing.archive.ingest import release as releasing
from homing.workers import processes
from homing.workers.choose import ThisMachine
from tests.helpers.archive import contents, facts
from tests.helpers.pictures import make_pictures, picture

COUNT = 14
FAST = "paper"  # for pictures as small as these
TRANSIENT = ("seconds", "file")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Pictures of two kinds; one that cannot be read, one of a single colour."""
    folder = make_pictures(tmp_path_factory.mktemp("released") / "photos", COUNT)
    make_pictures(folder, 2, first=50, suffix=".png")
    (folder / "005.jpg").write_bytes(b"no picture")
    picture(0).resize((1, 1)).save(folder / "009.jpg")
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory, network_file, codebook, photos):
    """Files, rows and outcomes of a release by one process."""
    folder = tmp_path_factory.mktemp("alone")
    made = homing.create(folder / "archive", descriptor=network_file, codebook=codebook)
    report = made.release(photos, out=folder / "out", method=FAST)
    return contents(folder / "out"), facts(made), outcomes_of(report)


def outcomes_of(report):
    """Return outcomes without times and paths."""
    every = [outcome.as_dict() for outcome in report]
    return [{k: v for k, v in each.items() if k not in {"seconds", "file"}} for each in every]


class LosingWorkers:
    """Workers in this process, whose first try at some of the tasks is lost."""

    def __init__(self, count, lost=frozenset()):
        self.count = self.per_machine = count
        self._lost = lost

    @contextlib.contextmanager
    def hire(self, begin, doing, *, most=None, device="cpu"):
        assert (doing, device) == ("activate pictures", "cpu")
        self._do = pickle.loads(pickle.dumps(begin))()
        yield self

    def in_order(self, tasks, *, ahead):
        for number, task in enumerate(tasks):
            assert 1 <= len(task) <= 4
            if number in self._lost:
                self._do(task)
            yield pickle.loads(pickle.dumps(self._do(pickle.loads(pickle.dumps(task)))))


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    count=st.integers(2, 40),
    before=st.sets(st.integers(0, COUNT - 1), max_size=4),
    lost=st.frozensets(st.integers(0, 3)),
    commit=st.integers(3, 20),
)
def test_files_are_the_same_by_any_number_of_workers(
    count, before, lost, commit, create, photos, alone, tmp_path_factory
):
    place = tmp_path_factory.mktemp("together")
    made, out = create(str(place / "archive")), place / "out"
    first = [photos / f"{number:03}.jpg" for number in sorted(before - {5})]
    if first:
        made.release(first, out=out, method=FAST)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            archives, "open_workforce", lambda _: contextlib.nullcontext(LosingWorkers(count, lost))
        )
        patch.setattr(releasing, "_COMMIT", commit)
        report = made.release(photos, out=out, method=FAST, workers=count)
        assert report.count("skipped") == len(first)
        assert [each.id for each in report] == sorted(each.name for each in photos.iterdir())
        again = made.release(photos, out=out, method=FAST, workers=count)
    files, rows, outcomes = alone
    assert contents(out) == files
    assert facts(made) == rows
    if not first:
        assert outcomes_of(report) == outcomes
    assert again.count("skipped") == len(files)


def test_what_workers_make_is_signed_here(archive, photos, credentials, tmp_path, monkeypatch):
    pytest.importorskip("c2pa")
    monkeypatch.setattr(
        archives, "open_workforce", lambda _: contextlib.nullcontext(LosingWorkers(2))
    )
    some = [photos / "001.jpg", photos / "005.jpg", photos / "002.jpg"]
    report = archive.release(some, out=tmp_path / "out", method=FAST, c2pa=credentials, workers=2)
    assert [each.status for each in report] == ["released", "failed", "released"]
    manifests = {each.c2pa_manifest for each in report if each.status == "released"}
    assert manifests == {row.metadata["c2pa_manifest"] for row in archive.entries()}
    assert len(manifests) == 2
    assert archive.verify().clean


def stalling(folder, *given):
    """Begin as a worker does; at its first try the shard with 006.jpg waits to be killed."""
    activate = by_workers._begin_activating(*given)

    def activated(shard):
        if "006.jpg" in [path.name for path in shard] and not list(Path(folder).iterdir()):
            Path(folder, str(os.getpid())).touch()
            time.sleep(100)
        return activate(shard)

    return activated


def killed_at_its_mark(marks):
    end = time.monotonic() + 100
    while not list(marks.iterdir()) and time.monotonic() < end:
        time.sleep(0.01)
    (mark,) = marks.iterdir()
    os.kill(int(mark.name), signal.SIGKILL)


@pytest.mark.slow
def test_killed_in_the_middle_of_its_shard(create, photos, alone, tmp_path, monkeypatch):
    """A worker killed by kill -9 costs its pictures another try; no file or row is lost."""
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    monkeypatch.setattr(by_workers, "_begin_activating", partial(stalling, str(marks)))
    monkeypatch.setattr(releasing, "_COMMIT", 3)
    archive = create()
    thread = threading.Thread(target=killed_at_its_mark, args=[marks])
    thread.start()
    report = archive.release(photos, out=out, method=FAST, workers=2)
    thread.join()
    assert not psutil.pid_exists(int(next(marks.iterdir()).name))
    assert contents(out) == alone[0]  # and no staging folder is left
    assert facts(archive) == alone[1]
    assert outcomes_of(report) == alone[2]
    assert archive.verify().clean
    assert archive.release(photos, out=out, method=FAST, workers=2).count("skipped") == COUNT + 1


def dying(*given):
    os._exit(9)


@pytest.mark.slow
def test_workers_that_die_again_and_again_are_reported(archive, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(by_workers, "_begin_activating", dying)
    monkeypatch.setattr(processes, "TRIES", 1)
    out = tmp_path / "out"
    with pytest.raises(homing.UsageError, match="the processes that activate pictures die"):
        archive.release(photos / "000.jpg", out=out, workers=2)
    assert len(archive) == 0
    assert list(out.iterdir()) == []


def test_a_descriptor_that_other_processes_cannot_load_is_refused(tmp_path, photos, network):
    own = homing.descriptor_from_callable(
        network.forward, name="mine", dimension=network.dimension, input_size=network.input_size
    )
    book = homing.train_codebook(
        own.describe(sorted(photos.glob("*[0123].jpg"))), "IVF4,Flat", descriptor=own.fingerprint
    )
    archive = homing.create(tmp_path / "archive", descriptor=own, codebook=book)
    with pytest.raises(homing.DescriptorError, match=r"cannot be loaded by other processes.*mine"):
        archive.release(photos, out=tmp_path / "out", workers=2)
    assert not (tmp_path / "out").exists()


def started(archive, photos, out, *more):
    """Start the command in a process group of its own, as a shell does; wait for its first line."""
    code = (
        "import sys, homing.archive.ingest.release as releasing\nreleasing._COMMIT = 2\n"
        "from homing.cli import main\nmain(sys.argv[1:])\n"
    )
    arguments = ["release", archive.path, photos, "--out", out, "--method", FAST, "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "--workers", "2", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    first = json.loads(process.stdout.readline())
    assert first["status"] == "released"
    return process, psutil.Process(process.pid).children(), first


def ended(process):
    """Return the rest of the command's output, by stream, once it has ended.

    ``communicate`` would lose what the buffer has read beyond the first line.
    """
    with process:  # closes both, and waits
        return process.stdout.read(), process.stderr.read()


@pytest.mark.slow
def test_by_the_command_line(archive, photos, alone, tmp_path):
    process, workers, first = started(archive, photos, tmp_path / "out")
    out, err = ended(process)
    assert process.returncode == 1  # one file is no picture
    assert "1 failed" in err
    lines = [first, *map(json.loads, out.splitlines())]
    assert [{k: v for k, v in each.items() if k not in TRANSIENT} for each in lines] == alone[2]
    assert contents(tmp_path / "out") == alone[0]
    archive._table.refresh()
    assert facts(archive) == alone[1]
    assert psutil.wait_procs(workers, timeout=30)[1] == []


@pytest.fixture
def many(tmp_path):
    return make_pictures(tmp_path / "many", 40)


def goes_on(archive, many, out, recorded):
    """Check that recorded rows stay, and that the same command again does the rest."""
    archive._table.refresh()
    recorded_ids = [row.id for row in archive.entries()]
    assert recorded <= len(recorded_ids) < 40
    assert all((out / name).exists() for name in recorded_ids)
    report = archive.release(many, out=out, method=FAST)
    # More are skipped if a commit was under way and got completed.
    assert report.count("skipped") >= len(recorded_ids)
    assert report.count("skipped") + report.count("released") == 40
    assert sorted(each.name for each in out.iterdir()) == [f"{n:03}.jpg" for n in range(40)]
    assert archive.verify().clean


@pytest.mark.slow
@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_ended_itself_it_leaves_no_worker_and_goes_on(archive, many, tmp_path, how):
    process, workers, _ = started(archive, many, tmp_path / "out")
    if how == "killed":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGINT)
    out, err = ended(process)
    if how == "interrupted":
        assert process.returncode == 130
        assert err.strip() == "homing: interrupted; run the same command again to go on"
        # A folder is left only where the interruption came between a journal and its commit.
        left = list((tmp_path / "out").glob(".homing-*"))
        assert all((folder / "journal.arrow").exists() for folder in left)
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    goes_on(archive, many, tmp_path / "out", 1 + len(out.splitlines()))


def test_one_worker_is_this_process(archive, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(ThisMachine, "hire", None)
    report = archive.release(photos / "000.jpg", out=tmp_path / "out", method=FAST, workers="1")
    assert report.count("released") == 1
    with pytest.raises(homing.UsageError, match="at least one worker, not 0"):
        archive.release(photos, out=tmp_path / "out", workers=0)
