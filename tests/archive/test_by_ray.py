"""Pictures added and indexes built by the workers of a Ray cluster, which are killed meanwhile."""

import os
import signal
import sys
import time
import uuid
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

import homing
import homing.options
from homing.archive.ingest import describe_by_workers as shards
from homing.archive.query.snapshot import Snapshot
from homing.archive.table import build_index as building
from homing.archive.table import index as segments
from homing.workers import ray as cluster
from homing.workers.choose import ThisMachine, hired, workers_named
from tests.helpers import ROOT
from tests.helpers.archive import contents, facts, make_pictures, unit_vectors, write

COUNT = 60
HERE = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


@pytest.fixture(scope="module")
def ray():
    """A Ray that the program has begun by itself; its workers find this module."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Ray's next version will do
        patch.setenv("PYTHONPATH", HERE)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_TOKEN", cluster._token())
        ray.init(
            "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=40
        )
        yield ray
        ray.shutdown()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("cluster") / "photos", COUNT)


def working(folder):
    """Doubles; fails at 3; at its first try of 5 the worker is killed."""

    def function(number):
        if number == 3:
            raise homing.ArchiveError("three")
        if number == 5 and not list(Path(folder).iterdir()):
            Path(folder, str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * number, os.getpid()

    return function


def dying():
    return lambda number: os._exit(9)


def test_tasks_are_done_by_others_and_again_where_one_is_killed(ray, tmp_path, monkeypatch):
    with hired("ray") as workforce:
        assert (workforce.count, workforce.per_machine) == (2, 2)
        with workforce.hire(partial(working, str(tmp_path)), "double") as workers:
            found = list(workers.in_order([0, 1, *range(4, 30)]))
            assert [number for number, _ in found] == [0, 2, *range(8, 60, 2)]
            done = dict(workers.as_done(range(6, 9)))
            assert {task: number for task, (number, _) in done.items()} == {6: 12, 7: 14, 8: 16}
            with pytest.raises(homing.ArchiveError, match="three") as caught:
                list(workers.in_order([1, 2, 3]))
            assert "in function" in caught.value.__notes__[0]
        (killed,) = tmp_path.iterdir()
        assert os.getpid() not in {pid for _, pid in found}
        assert not psutil.pid_exists(int(killed.name))
        with (
            workforce.hire(dying, "do this") as workers,
            pytest.raises(homing.UsageError, match="the Ray workers that do this die"),
        ):
            list(workers.in_order([1]))
        monkeypatch.setattr(cluster, "__version__", "0.0.0")
        with (
            workforce.hire(partial(working, str(tmp_path)), "double") as workers,
            pytest.raises(homing.UsageError, match=r"and 0\.0\.0 has asked it"),
        ):
            list(workers.in_order([1]))
        with pytest.raises(homing.UsageError, match="no GPU for --device cuda"):
            workforce.hire(dying, "compute", device="cuda")
    assert ray.is_initialized()  # it is the program's own
    with pytest.raises(homing.UsageError, match="uses Ray already"), hired("ray:2"):
        pass


def test_what_is_recorded_and_indexed_is_the_same(ray, create, photos):
    alone, together = create("alone"), create("together")
    (photos / "bad.jpg").write_bytes(b"no picture")
    reports = [alone.add(photos), together.add(photos, workers="ray")]
    told = [[(o.source, o.status, o.reason) for o in report] for report in reports]
    assert told[0] == told[1]
    assert facts(together) == facts(alone)
    assert [row.id for row in together.entries()] == [row.id for row in alone.entries()]
    assert together.add(photos, workers="ray").count("skipped") == COUNT
    for part in range(5):
        names = [f"{part}-{number}" for number in range(50)]
        write(together._table, together.codebook, names, unit_vectors(50, part))
    done = together.index(workers="ray")
    assert (done.entries, done.indexed, done.added) == (COUNT + 250,) * 3
    assert 2 <= done.segments <= 4
    same_answers(together)


@pytest.mark.slow
def test_what_is_released_is_the_same(ray, create, photos, tmp_path):
    alone, together = create("alone"), create("together")
    some = sorted(photos.glob("00*.jpg"))
    places = [tmp_path / "alone-out", tmp_path / "out"]
    alone.release(some, out=places[0], method="paper")
    report = together.release(some, out=places[1], method="paper", workers="ray")
    assert report.count("released") == len(some) == 10
    assert contents(places[1]) == contents(places[0])
    assert together.verify().clean


def same_answers(archive):
    """The index holds each entry once, with its own code."""
    archive._table.refresh()
    asked = {"k": 20, "probes": 8, "rerank": 0}
    answers = [
        Snapshot(archive._table, archive.codebook, engine).search(unit_vectors(30, 99), **asked)
        for engine in ("memory", "lance")
    ]
    np.testing.assert_allclose(answers[1].code_distance, answers[0].code_distance, atol=1e-5)
    assert [set(row) for row in answers[1].ids] == [set(row) for row in answers[0].ids]
    assert archive.verify(files=False).clean


def test_a_file_that_a_worker_does_not_see_as_we_do(archive, photos):
    def seen(length, path=photos / "000.jpg"):
        item = SimpleNamespace(path=path)
        entry = shards.Described(shards_planned(item), seen="something")
        return shards._as_seen_here(entry, length, "far-away")

    own = (photos / "000.jpg").stat().st_size
    assert seen(own).seen == "something"
    assert seen(None, photos / "nowhere.jpg").seen == "something"  # missing for both
    other = seen(own + 1)
    assert other.seen is None
    assert other.failed.startswith(f"the worker on far-away sees a file of {own + 1} bytes, and")
    with pytest.raises(homing.UsageError, match=r"on far-away does not see .*000\.jpg, which is"):
        seen(None)


def shards_planned(item):
    from homing.archive.ingest.plan import Planned

    return Planned(item)


def test_an_archive_that_a_worker_does_not_see_as_we_do(archive, tmp_path):
    settings = archive.settings
    given = (homing.options.DEFAULT_LIMITS, "cpu", 1)
    place = archive._table.path
    shards._begin(place, settings, archive.path, *given)
    with pytest.raises(homing.UsageError, match="another archive at"):
        shards._begin(place, replace(settings, identity="another"), archive.path, *given)
    with pytest.raises(homing.UsageError, match="cannot reach the archive: there is no archive at"):
        shards._begin(place, settings, tmp_path / "elsewhere", *given)
    with pytest.raises(homing.UsageError, match="cannot reach the archive: there is no version 99"):
        building._begin(place, 99, None, archive.codebook)
    with pytest.raises(homing.UsageError, match="that is not seen here"):
        segments.refuse_missing(archive._table, SimpleNamespace(uuid=str(uuid.uuid4())))


def test_who_works_is_named_clearly(monkeypatch, homing_cli, archive, photos):
    assert [workers_named(text) for text in ("7", "ray", "ray:3", "ray://head:10001")] == [
        7,
        "ray",
        "ray:3",
        "ray://head:10001",
    ]
    for wrong in ("", "-1", "ray:", "ray:0", "ray://", "ray://head", "http://head:1", "two"):
        with pytest.raises(homing.UsageError, match="workers are a number of processes"):
            workers_named(wrong)
    with hired(1) as nobody, hired(3) as three:
        assert (nobody, three) == (None, ThisMachine(3))
    for wrong, reason in (("0", "0 is not in the range"), ("ray:", "or 'ray://HOST:PORT', not")):
        ended = homing_cli("add", archive.path, photos, "--workers", wrong)
        assert ended.status == 2
        assert reason in " ".join(ended.err.split())
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = homing_cli("index", archive.path, "--workers", "ray")
    assert ended.status == 2
    assert ended.err.strip().endswith("need Ray: pip install 'homing[cluster]'")


def test_a_cluster_that_is_not_there(homing_cli, archive, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    start = time.monotonic()
    ended = homing_cli("index", archive.path, "--workers", "ray://127.0.0.1:1")
    assert ended.status == 2
    assert "'ray://127.0.0.1:1' cannot be reached: [Errno 111] Connection refused" in ended.err
    assert "Ray Client server" in ended.err
    assert time.monotonic() - start < 20
