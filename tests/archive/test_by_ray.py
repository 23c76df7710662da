"""Adds, releases and indexes by the workers of a Ray cluster. Kills: test_by_ray_killed.py."""

import sys
import time
import uuid
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import homing
from homing.archive.ingest import by_workers
from homing.archive.query.snapshot import Snapshot
from homing.archive.table.index import build_index as building
from homing.archive.table.index import segments
from tests.helpers.archive import contents, facts, write
from tests.helpers.cluster import own_ray
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors

COUNT = 60


@pytest.fixture(scope="module")
def ray():
    with own_ray() as ray:
        yield ray


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_pictures(tmp_path_factory.mktemp("cluster") / "photos", COUNT)


def test_what_is_recorded_and_indexed_is_the_same(ray, create, photos):
    alone, together = create("alone"), create("together")
    (photos / "bad.jpg").write_bytes(b"no picture")
    reports = [alone.add(photos), together.add(photos, workers="ray")]
    outcomes = [[(o.source, o.status, o.reason) for o in report] for report in reports]
    assert outcomes[0] == outcomes[1]
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
    """Check that the index holds each entry once, with its own code."""
    archive._table.refresh()
    options = {"k": 20, "probes": 8, "rerank": 0}
    answers = [
        Snapshot(archive._table, archive.codebook, engine).search(unit_vectors(30, 99), **options)
        for engine in ("memory", "lance")
    ]
    np.testing.assert_allclose(answers[1].code_distance, answers[0].code_distance, atol=1e-5)
    assert [set(row) for row in answers[1].ids] == [set(row) for row in answers[0].ids]
    assert archive.verify(files=False).clean


def test_an_archive_that_a_worker_sees_differently(archive, tmp_path):
    settings = archive.settings
    place = archive._table.path

    def begin(settings=settings, path=archive.path):
        worker = by_workers._WorkerSettings(settings, path, "cpu", 1)
        return by_workers._begin_describing(worker, place, homing.Limits())

    begin()
    with pytest.raises(homing.UsageError, match="another archive at"):
        begin(replace(settings, identity="another"))
    with pytest.raises(homing.UsageError, match="cannot reach the archive: there is no archive at"):
        begin(path=tmp_path / "elsewhere")
    with pytest.raises(homing.UsageError, match="cannot reach the archive: there is no version 99"):
        building._begin(place, 99, None, archive.codebook)
    with pytest.raises(homing.UsageError, match="that is not seen here"):
        segments.refuse_missing(archive._table, SimpleNamespace(uuid=str(uuid.uuid4())))


def test_wrong_workers_are_refused_by_the_command_line(monkeypatch, homing_cli, archive, photos):
    for wrong, reason in (("0", "0 is not in the range"), ("ray:", "or 'ray://HOST:PORT', not")):
        ended = homing_cli("add", archive.path, photos, "--workers", wrong)
        assert ended.status == 2
        assert reason in " ".join(ended.err.split())
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = homing_cli("index", archive.path, "--workers", "ray")
    assert ended.status == 2
    assert ended.err.strip().endswith("need Ray: pip install '.[cluster]' in homing's folder")


def test_a_cluster_that_is_not_there(homing_cli, archive, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    start = time.monotonic()
    ended = homing_cli("index", archive.path, "--workers", "ray://127.0.0.1:1")
    assert ended.status == 2
    assert "'ray://127.0.0.1:1' cannot be reached: [Errno 111] Connection refused" in ended.err
    assert "Ray Client server" in ended.err
    assert time.monotonic() - start < 20
