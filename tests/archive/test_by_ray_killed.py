"""Commands killed in the middle by ``kill -9``, or whose Ray workers are."""

import contextlib
import importlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import homing
from homing.workers.choose import open_workforce
from tests.helpers import ROOT
from tests.helpers.archive import completed, contents, facts, write
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

COUNT = 100

#: A command whose workers wait until the test has seen their mark; commits are small.
COMMAND = """
import os, pathlib, sys, time
sys.path.insert(0, {tests!r})
os.environ["PYTHONPATH"] = os.pathsep.join([{tests!r}, os.environ.get("PYTHONPATH", "")])
from tests.archive import test_by_ray_killed as ours
from homing.archive.ingest import add as adding
from homing.archive.table.index import build_index as building
from homing.archive.ingest import release as releasing
from homing.archive.ingest import by_workers
adding._COMMIT = 16
releasing._COMMIT = 3
by_workers._begin_activating = ours.Stalling(by_workers._begin_activating, {marks!r})
by_workers._begin_describing = ours.Stalling(by_workers._begin_describing, {marks!r})
building._begin = ours.Stalling(building._begin, {marks!r})
from homing.cli import main
main(sys.argv[1:])
"""


class Stalling:
    """Begins as a worker does; the third task of all waits to be killed, once."""

    def __init__(self, begin, marks):
        self._begin = begin
        self._marks = marks

    def __call__(self, *given):
        work = self._begin(*given)

        def stalled(task):
            marks = Path(self._marks)
            number = len(list(marks.iterdir()))
            (marks / f"{number}-{os.getpid()}").touch()
            if number == 2:
                time.sleep(100)
            return work(task)

        return stalled


def started(marks, *arguments):
    marks.mkdir(exist_ok=True)
    code = COMMAND.format(tests=str(ROOT), marks=str(marks))
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(os.fspath, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stalled(marks, process):
    """Return the process id of the worker that waits."""
    end = time.monotonic() + 200
    while not (found := list(marks.glob("2-*"))):
        assert time.monotonic() < end
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return int(found[0].name[2:])


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("killed") / "photos", COUNT)


def test_a_worker_killed_in_mid_add_costs_its_shard_a_try(create, photos, tmp_path):
    undisturbed, archive = create("undisturbed"), create()
    undisturbed.add(photos)
    process = started(
        tmp_path / "marks", "add", archive.path, photos, "--workers", "ray:2", "--json"
    )
    os.kill(stalled(tmp_path / "marks", process), 9)
    status, out, err = completed(process)
    assert (status, err.strip()[:9]) == (0, "100 added")
    lines = [json.loads(line) for line in out.splitlines()]  # and nothing else from Ray
    assert [line["id"] for line in lines] == [f"{n:03}.jpg" for n in range(COUNT)]
    archive._table.refresh()
    assert facts(archive) == facts(undisturbed)
    assert [row.id for row in archive.entries()] == [row.id for row in undisturbed.entries()]
    assert archive.verify().clean


def test_a_worker_killed_in_mid_release_costs_its_pictures_a_try(create, photos, tmp_path):
    undisturbed, archive = create("undisturbed"), create()
    some = sorted(photos.glob("00*.jpg")) + sorted(photos.glob("01*.jpg"))
    undisturbed.release(some, out=tmp_path / "expected", method="paper")
    options = ["--out", tmp_path / "out", "--method", "paper", "--workers", "ray:2", "--json"]
    process = started(tmp_path / "marks", "release", archive.path, *some, *options)
    os.kill(stalled(tmp_path / "marks", process), 9)
    status, out, err = completed(process)
    assert (status, err.strip()[:11]) == (0, "20 released")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["id"] for line in lines] == [f"{n:03}.jpg" for n in range(20)]
    assert contents(tmp_path / "out") == contents(tmp_path / "expected")
    archive._table.refresh()
    assert [row.id for row in archive.entries()] == [row.id for row in undisturbed.entries()]
    assert archive.verify().clean


def test_a_worker_killed_in_mid_index_costs_its_segment_a_try(archive, tmp_path):
    from tests.archive.test_by_ray import same_answers

    for part in range(6):
        names = [f"{part}-{number}" for number in range(50)]
        write(archive._table, archive.codebook, names, unit_vectors(50, part))
    process = started(tmp_path / "marks", "index", archive.path, "--workers", "ray:3")
    os.kill(stalled(tmp_path / "marks", process), 9)
    status, out, err = completed(process)
    assert (status, err) == (0, "")
    assert re.fullmatch(r"300 of 300 entries indexed, 300 of them now, in \d+ segments\n", out)
    same_answers(archive)


def test_killed_itself_the_command_leaves_no_ray_and_keeps_what_is_recorded(
    archive, photos, tmp_path
):
    process = started(tmp_path / "marks", "add", archive.path, photos, "--workers", "ray:2")
    worker = stalled(tmp_path / "marks", process)
    family = psutil.Process(process.pid).children(recursive=True)
    assert worker in {each.pid for each in family}
    process.kill()
    process.communicate()
    assert psutil.wait_procs(family, timeout=150)[1] == []  # Ray's agents check once a minute
    report = archive.add(photos)
    assert report.count("added") + report.count("skipped") == COUNT
    assert sorted(row.id for row in archive.entries()) == [f"{n:03}.jpg" for n in range(COUNT)]
    assert archive.verify().clean


@contextlib.contextmanager
def head(tmp_path):
    """The address of the Ray Client server of a cluster of one machine."""
    ports = []
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            free = stack.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            ports.append(str(free.getsockname()[1]))
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    here = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(here)
    arguments = ["--head", "--node-ip-address", "127.0.0.1", "--port", ports[0], "--num-cpus", "2"]
    arguments += ["--ray-client-server-port", ports[1], "--include-dashboard", "false", "--block"]
    arguments += ["--min-worker-port", "0", "--max-worker-port", "0"]
    with (tmp_path / "head.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", *arguments],
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + 120
        while True:
            assert process.poll() is None, (tmp_path / "head.log").read_text()
            assert time.monotonic() < end
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", int(ports[1])), timeout=1).close()
                break
            time.sleep(0.2)
        yield f"ray://127.0.0.1:{ports[1]}"
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(60)
        for left in psutil.wait_procs(family, timeout=20)[1]:
            left.kill()


def test_a_cluster_is_reached_by_its_address(archive, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    (tmp_path / "marks").mkdir()
    for number in range(3):  # no worker waits
        (tmp_path / "marks" / f"{number}-0").touch()
    with head(tmp_path) as address:
        adding = started(
            tmp_path / "marks", "add", archive.path, photos, "--workers", address, "--json"
        )
        status, out, err = completed(adding, timeout=200)
        assert (status, err.strip()[:9]) == (0, "100 added")
        assert len([json.loads(line) for line in out.splitlines()]) == COUNT
        status, out, err = completed(
            started(tmp_path / "marks", "index", archive.path, "--workers", address), timeout=200
        )
        assert (status, err) == (0, "")
        other = tmp_path / "elsewhere.py"  # a module that the cluster does not have
        other.write_text("def begin():\n    return abs\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        begin = importlib.import_module("elsewhere").begin
        with (
            open_workforce(address) as workforce,
            pytest.raises(homing.UsageError, match=r"No module named 'elsewhere'; homing .* must"),
            workforce.hire(begin, "compute") as workers,
        ):
            list(workers.in_order([1]))
    assert archive.stats()["indexed"] == COUNT
    assert archive.verify().clean
