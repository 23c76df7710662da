"""The index, against the memory engine: none, some or all rows indexed."""

import datetime

import numpy as np
import pytest

import homing
from homing.archive.query import engines
from homing.archive.query.engines import choose_engine
from homing.archive.query.snapshot import Snapshot
from homing.archive.table.addresses import read_runs
from homing.archive.table.index import segments
from homing.archive.table.index.build_index import build_index
from homing.archive.table.index.form import IndexForm
from homing.archive.table.index.segments import (
    add_index_column,
    build_segment,
    commit_segment,
    read_coverage,
)
from homing.archive.table.table import Table
from homing.archive.table.vectors import StoredVectors
from homing.search.engines.lance import reason_against
from tests.helpers.archive import write
from tests.helpers.index import HELD, compare, names, new_table
from tests.helpers.vectors import unit_vectors


@pytest.mark.parametrize(
    ("factory", "places"),
    [*((factory, 1) for factory in HELD), ("IVF8,PQ8x8", 3), ("IVF8,Flat", 2)],
)
def test_the_answers_are_the_memory_engines(tmp_path, codebooks, factory, places):
    codebook = codebooks[factory]
    table = new_table(tmp_path, codebook, places)
    write(table, codebook, names(0, 200), unit_vectors(200, 10), "released")
    write(table, codebook, names(200, 100), unit_vectors(100, 13))
    compare(table, codebook)  # nothing is indexed
    done = build_index(table, codebook)
    assert (done.entries, done.indexed, done.added, done.segments) == (300, 300, 300, 1)
    compare(table, codebook)
    write(table, codebook, names(300, 40), unit_vectors(40, 11))
    assert sum(read_coverage(table, codebook).unindexed.values()) == 40
    compare(table, codebook)  # some are indexed
    table.delete(names(20, 30))
    write(table, codebook, names(5, 10), unit_vectors(10, 12), "released")  # other vectors
    compare(table, codebook)
    assert build_index(table, codebook).added == 50
    compare(table, codebook)
    assert build_index(table, codebook).added == 0
    table.compact()
    assert not read_coverage(table, codebook).unindexed
    compare(table, codebook)


def test_few_entries_in_many_cells(tmp_path, codebooks):
    codebook = codebooks["IVF8,PQ8x8"]
    table = new_table(tmp_path, codebook)
    assert build_index(table, codebook).segments == 0  # an empty archive
    compare_empty = Snapshot(table, codebook, "lance").search(
        unit_vectors(2, 5), k=3, probes=1, rerank=0
    )
    assert (compare_empty.positions == -1).all()
    write(table, codebook, names(0, 3), unit_vectors(3, 10))
    compare(table, codebook)
    build_index(table, codebook)
    compare(table, codebook)


def test_rows_beyond_what_is_held_are_read_anew(tmp_path, codebooks, monkeypatch):
    monkeypatch.setattr(engines, "_ROWS_A_BLOCK", 20)
    monkeypatch.setattr(engines, "_RESIDENT", 1)
    codebook = codebooks["IVF8,PQ8x8"]
    table = new_table(tmp_path, codebook)
    for part in range(6):
        write(table, codebook, names(15 * part, 15), unit_vectors(15, 20 + part))
    table.delete(names(30, 15))
    compare(table, codebook)
    build_index(table, codebook)
    for part in range(6, 11):
        write(table, codebook, names(15 * part, 15), unit_vectors(15, 20 + part))
    compare(table, codebook)


@pytest.mark.parametrize("factory", ["PCA24,LSH", "IVF8,SQ8", "IVF8,PQ8x4fsr", "IVF8,RaBitQ"])
def test_a_codebook_that_lance_cannot_hold_is_refused(
    tmp_path, codebooks, network_file, homing_cli, factory
):
    archive = homing.create(tmp_path / "a", descriptor=network_file, codebook=codebooks[factory])
    reason = reason_against(codebooks[factory].factory)
    with pytest.raises(homing.UsageError, match="cannot be indexed: Lance") as refused:
        archive.index()
    assert reason in str(refused.value)
    with pytest.raises(homing.UsageError, match="--engine memory"):
        homing.open(archive.path, engine="lance")
    ended = homing_cli("index", archive.path)
    assert ended.status == 2
    assert reason in ended.err
    assert choose_engine("auto", archive._table, [archive.codebook]) == "memory"


def test_the_engine_is_chosen_by_size(tmp_path, codebooks, archive, monkeypatch):
    table = new_table(tmp_path, codebooks["PQ8"])
    write(table, codebooks["PQ8"], names(0, 30), unit_vectors(30, 10))
    assert choose_engine("auto", table, [codebooks["PQ8"]]) == "memory"
    assert choose_engine("lance", table, [codebooks["PQ8"]]) == "lance"
    monkeypatch.setattr(engines, "_HELD", 30 * 68 - 1)
    assert choose_engine("auto", table, [codebooks["PQ8"]]) == "lance"
    assert choose_engine("memory", table, [codebooks["PQ8"]]) == "memory"
    with pytest.raises(homing.UsageError, match="no engine 'faiss'; there are auto, memory, lance"):
        homing.open(archive.path, engine="faiss")


def other_centroids(monkeypatch, codebook):
    moved = homing.Codebook(
        codebook.factory,
        codebook.dimension,
        codebook.arrays | {"coarse": codebook.arrays["coarse"] + np.float32(0.01)},
    )
    arguments = IndexForm(moved).arguments
    monkeypatch.setattr(IndexForm, "arguments", property(lambda form: arguments))


def rows_left_out(monkeypatch, codebook):
    staged = segments._rows_to_index
    monkeypatch.setattr(
        segments, "_rows_to_index", lambda *given: (batch[:-1] for batch in staged(*given))
    )


@pytest.mark.parametrize("spoil", [other_centroids, rows_left_out])
def test_an_index_that_is_not_the_records_is_not_trusted(archive, spoil):
    write(archive._table, archive.codebook, names(0, 300), unit_vectors(300, 10))
    with pytest.MonkeyPatch.context() as patched:
        spoil(patched, archive.codebook)
        archive.index()
    assert not read_coverage(archive._table, archive.codebook).is_sound
    compare(archive._table, archive.codebook)
    problems = archive.verify(files=False).problems
    assert [problem.message for problem in problems][-1:] == [
        "the index is not this archive's; run 'homing index' to replace it"
    ]
    assert archive.index().added == 300
    assert read_coverage(archive._table, archive.codebook).is_sound
    assert archive.stats()["indexed"] == 300
    compare(archive._table, archive.codebook)


def test_calibration_and_duplicates_are_the_same(archive):
    vectors = unit_vectors(260, 10)
    vectors[250:] = vectors[:10]
    write(archive._table, archive.codebook, names(0, 260), vectors)
    archive.index()
    results = []
    for engine in ("memory", "lance"):
        opened = homing.open(archive.path, engine=engine)
        results.append((opened.calibrate(), opened.duplicates(similarity=0.99)))
    assert results[0] == results[1]
    assert len(results[0][1]) == 10


def test_a_file_that_compaction_took_away_is_an_error_that_is_tried_again(tmp_path, codebooks):
    table = new_table(tmp_path, codebooks["IVF8,PQ8x8"])
    write(table, codebooks["IVF8,PQ8x8"], names(0, 20), unit_vectors(20, 1))
    runs = read_runs(table)
    for file in table.path.glob("data/*.lance"):
        file.unlink()
    with pytest.raises(homing.ArchiveError, match="cannot be read"):
        StoredVectors(table, runs)


@pytest.mark.parametrize("between", ["indexed", "rewritten"])
def test_a_segment_comes_too_late_though_versions_between_are_forgotten(
    tmp_path, codebooks, between
):
    """Lance cannot check, as the versions to compare with are gone: it panicked."""
    codebook = codebooks["IVF8,PQ8x8"]
    table = new_table(tmp_path, codebook)
    for part in range(2):
        write(table, codebook, names(20 * part, 20), unit_vectors(20, part))
    add_index_column(table, IndexForm(codebook))
    late = Table.open(table.path)
    (tmp_path / "late").mkdir()
    segment = build_segment(late, IndexForm(codebook), [0, 1], tmp_path / "late")
    if between == "indexed":
        build_index(table, codebook)
        write(table, codebook, names(40, 20), unit_vectors(20, 3))
        table.dataset.cleanup_old_versions(older_than=datetime.timedelta(0))
    else:
        table.compact()
    assert not commit_segment(late, IndexForm(codebook), [0, 1], segment)
    assert len(read_coverage(late, codebook).segments) == (between == "indexed")
    assert build_index(late, codebook).indexed == len(late)
    compare(late, codebook)


def test_segments_whose_fragments_have_gone_are_replaced(tmp_path, codebooks):
    codebook = codebooks["IVF8,PQ8x8"]
    table = new_table(tmp_path, codebook)
    for part in range(2):
        write(table, codebook, names(20 * part, 20), unit_vectors(20, part))
    build_index(table, codebook)
    table.delete(names(0, 20))  # all of the first
    write(table, codebook, names(40, 30), unit_vectors(30, 3))
    assert build_index(table, codebook).segments == 1
    compare(table, codebook)
