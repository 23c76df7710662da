"""Queries of several clients answered together."""

import shutil
from concurrent.futures import wait

import pytest

import homing
from homing.options import SearchOptions
from homing.search.views import query_views
from homing.serve.shared_archive import SharedArchive
from homing.serve.tasks.query_batches import QueryBatcher
from tests.helpers.service import encoded, picture


def test_queries_are_answered_together_as_they_are_alone(empty_archive, tmp_path):
    shutil.copytree(empty_archive, tmp_path / "archive")
    archive = homing.open(tmp_path / "archive")
    files = tmp_path / "files"
    files.mkdir()
    for number in range(12):
        (files / f"{number}.jpg").write_bytes(encoded(picture(number)))
    archive.add(files)
    queries = [encoded(picture(number)) for number in range(12)]
    ways = [SearchOptions(k=2), SearchOptions(k=2, views="turned"), SearchOptions(k=1, probes=3)]
    batches, shared = [], SharedArchive(archive)

    def find(queries, options):
        return shared.call(lambda archive: archive.answer(queries, options))

    with QueryBatcher(
        archive.descriptor, find, most=16, wait=0.05, on_batch=batches.append
    ) as batcher:
        submitted = [
            (data, way, batcher.submit(way, views=query_views(data, 64, way.views)))
            for data in queries
            for way in ways
        ]
        nothing = batcher.submit(SearchOptions())
        wait([future for _, _, future in submitted])
        assert nothing.result().hits == ()
        assert len(batcher) == 0
    assert sum(batches) == 37
    assert max(batches) > 1
    for data, way, future in submitted:
        alone = archive.search(data, k=way.k, views=way.views, probes=way.probes)
        together = future.result().hits
        assert [hit.id for hit in together] == [hit.id for hit in alone]
        for one, other in zip(together, alone, strict=True):
            assert one.similarity == pytest.approx(other.similarity, abs=1e-5)


def test_a_failure_reaches_all_waiting_clients(empty_archive):
    archive = homing.open(empty_archive)

    def fails(*_):
        raise homing.ArchiveError("gone")

    with QueryBatcher(archive.descriptor, fails, most=4, wait=0.01) as batcher:
        views = query_views(encoded(picture(1)), 64, "upright")
        futures = [batcher.submit(SearchOptions(), views=views) for _ in range(3)]
        for future in futures:
            with pytest.raises(homing.ArchiveError, match="gone"):
                future.result(10)
