"""Adds by several real processes, which are killed meanwhile."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import psutil
import pytest

import homing
from homing.archive.ingest import add as adding
from homing.archive.ingest import by_workers
from homing.workers import processes
from tests.helpers.archive import facts
from tests.helpers.pictures import make_pictures, picture

COUNT = 150


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("workers") / "photos", COUNT)


def outcomes_of(report):
    return [(o.source, o.status, o.id, o.reason, o.notes) for o in report]


def test_what_is_recorded_is_the_same(create, photos, tmp_path):
    """Among them pictures already recorded, unreadable ones, and ids taken by other pictures."""
    mixed = make_pictures(tmp_path / "mixed", 70, first=500)
    (mixed / "510.jpg").write_bytes(b"no picture")
    picture(0).resize((1, 1)).save(mixed / "520.jpg")  # one colour
    listed = tmp_path / "listed.csv"
    names = [file.name for file in sorted(mixed.iterdir())]
    listed.write_text("path,title\n" + "".join(f"{name},{name}!\n" for name in names))
    reports = []
    for workers in (1, 3):
        archive = create(f"by-{workers}")
        archive.add([mixed / "501.jpg", mixed / "502.jpg"])
        other = make_pictures(tmp_path / f"other-{workers}", 1, first=900)
        (other / "900.jpg").rename(other / "503.jpg")
        archive.add(other)
        reports.append((archive.add(mixed, manifest=listed, workers=workers), facts(archive)))
        assert [row.id for row in archive.entries()][3:] == [
            name for name in names if name not in {"501.jpg", "502.jpg", "503.jpg", "510.jpg"}
        ]
    (alone, rows), (together, same) = reports
    assert outcomes_of(together) == outcomes_of(alone)
    assert Counter(o.status for o in together) == {"added": 66, "skipped": 2, "failed": 2}
    assert same == rows


def stalling(folder, *given):
    """Begin as a worker does; at its first try the shard with 080.jpg waits to be killed."""
    describe = by_workers._begin_describing(*given)

    def described(shard):
        mark = Path(folder, str(os.getpid()))
        if "080.jpg" in [item.id for item in shard] and not list(Path(folder).iterdir()):
            mark.touch()
            time.sleep(100)
        return describe(shard)

    return described


def test_killed_in_the_middle_of_its_shard(create, photos, tmp_path, monkeypatch):
    """A worker killed by kill -9 costs its shard another try; no row is doubled or lost."""
    undisturbed = create("undisturbed")
    undisturbed.add(photos)
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setattr(by_workers, "_begin_describing", partial(stalling, str(marks)))
    monkeypatch.setattr(adding, "_COMMIT", 16)
    archive, killed = create(), []

    def kill():
        end = time.monotonic() + 100
        while not list(marks.iterdir()) and time.monotonic() < end:
            time.sleep(0.01)
        (mark,) = marks.iterdir()
        os.kill(int(mark.name), signal.SIGKILL)
        killed.append(int(mark.name))

    thread = threading.Thread(target=kill)
    thread.start()
    report = archive.add(photos, workers=2)
    thread.join()
    assert killed
    assert report.count("added") == COUNT
    assert [row.id for row in archive.entries()] == [row.id for row in undisturbed.entries()]
    assert facts(archive) == facts(undisturbed)
    assert archive.verify().clean
    assert archive.add(photos, workers=2).count("skipped") == COUNT


def dying(*given):
    os._exit(9)


def test_workers_that_die_again_and_again_are_reported(archive, photos, monkeypatch):
    monkeypatch.setattr(by_workers, "_begin_describing", dying)
    monkeypatch.setattr(processes, "TRIES", 1)
    with pytest.raises(homing.UsageError, match="the processes that describe pictures die"):
        archive.add(photos / "000.jpg", workers=2)
    with pytest.raises(homing.UsageError, match="at least one worker, not 0"):
        archive.add(photos, workers=0)
    assert len(archive) == 0


def test_a_descriptor_that_other_processes_cannot_load_is_refused(tmp_path, photos, network):
    own = homing.descriptor_from_callable(
        network.forward, name="mine", dimension=network.dimension, input_size=network.input_size
    )
    book = homing.train_codebook(
        own.describe(sorted(photos.iterdir())), "IVF4,Flat", descriptor=own.fingerprint
    )
    archive = homing.create(tmp_path / "archive", descriptor=own, codebook=book)
    with pytest.raises(homing.DescriptorError, match=r"cannot be loaded by other processes.*mine"):
        archive.add(photos, workers=2)
    assert archive.add(photos).count("added") == COUNT


def started(archive, photos):
    """Start the command in a process group of its own, as a shell does; wait for its first line."""
    code = (
        "import sys, homing.archive.ingest.add as adding\nadding._COMMIT = 4\n"
        "from homing.cli import main\nmain(sys.argv[1:])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "add", archive.path, photos, "--workers", "2", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    first = process.stdout.readline()
    assert json.loads(first)["status"] == "added"
    workers = psutil.Process(process.pid).children()
    return process, workers


def goes_on(archive, photos, recorded):
    """Check that recorded rows stay, and that the same command again does the rest."""
    recorded_ids = [row.id for row in archive.entries()]
    assert recorded <= len(recorded_ids) < COUNT
    assert len(set(recorded_ids)) == len(recorded_ids)
    report = archive.add(photos, workers=2)
    assert (report.count("skipped"), report.count("added")) == (
        len(recorded_ids),
        COUNT - len(recorded_ids),
    )
    assert sorted(row.id for row in archive.entries()) == [f"{n:03}.jpg" for n in range(COUNT)]
    assert archive.verify().clean


@pytest.mark.slow
def test_interrupted_from_the_terminal_it_keeps_what_is_recorded(archive, photos):
    """The terminal sends SIGINT to the workers too, which must print nothing."""
    process, workers = started(archive, photos)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip() == "homing: interrupted; run the same command again to go on"
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    goes_on(archive, photos, 1 + len(out.splitlines()))


@pytest.mark.slow
def test_killed_itself_it_leaves_no_worker_and_keeps_what_is_recorded(archive, photos):
    process, workers = started(archive, photos)
    process.kill()
    out, _ = process.communicate()
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    goes_on(archive, photos, 1 + len(out.splitlines()))
