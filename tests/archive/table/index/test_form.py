"""Indexes of Lance's own codes, in the stored cells: what they find, and what becomes of them."""

import json

import lance
import numpy as np
import pytest

import homing
from homing.archive.query.snapshot import Snapshot
from homing.archive.table.index.build_index import build_index
from homing.archive.table.index.form import IndexForm, stored_form
from homing.archive.table.index.segments import read_coverage
from homing.archive.table.lance_internals import index_storage, rabitq_model
from homing.archive.table.table import Table
from tests.helpers.archive import write
from tests.helpers.index import names, new_table
from tests.helpers.vectors import clustered_unit_vectors, unit_vectors


def exact_in_cells(
    codebook: homing.Codebook, queries: np.ndarray, entries: np.ndarray, visited: int, held: int
) -> list[set[int]]:
    """Return the entries that the cells visited hold, for each query."""
    cells = codebook.nearest_cells(entries, held)
    return [
        {i for i, own in enumerate(cells.tolist()) if set(own) & set(near)}
        for near in codebook.nearest_cells(queries, visited).tolist()
    ]


@pytest.mark.parametrize("codes", ["rq", "sq"])
@pytest.mark.parametrize(
    ("factory", "places"),
    [
        ("IVF8,PQ8x8", 1),
        ("IVF8,PQ8x8", 2),
        ("OPQ8,IVF8,PQ8x8", 1),
        ("PQ8", 1),
        ("IVF8,SQ8", 1),
        ("IVF8,RaBitQ", 1),
    ],
)
def test_the_cells_are_the_stored_ones(tmp_path, codebooks, factory, places, codes) -> None:
    codebook = codebooks[factory]
    table = new_table(tmp_path, codebook, places)
    vectors = clustered_unit_vectors(300, 10, codebook.dimension).astype(np.float16)
    stored = vectors.astype(np.float32)
    write(table, codebook, names(0, 300), stored, "released")
    done = build_index(table, codebook, codes=codes)
    assert (done.entries, done.indexed, done.added, done.segments) == (300, 300, 300, 1)
    table.refresh()
    queries = clustered_unit_vectors(12, 5, codebook.dimension)
    for visited in (1, 3):
        found = Snapshot(table, codebook, "lance").search(queries, k=300, probes=visited, rerank=0)
        there = exact_in_cells(codebook, queries, stored, visited, places)
        for own, ids, distances, query in zip(
            there, found.ids, found.code_distance, queries, strict=True
        ):
            numbers = [int(name) for name in ids if name is not None]
            assert set(numbers) == own
            exact = np.square(stored[numbers] - query).sum(axis=1)
            error = np.abs(distances[: len(numbers)] - exact)
            # A bit a component tells a distance roughly, by a rotation that each codebook has.
            assert error.mean() < (0.01 if codes == "sq" else 0.3)


@pytest.mark.parametrize("codes", ["rq", "sq"])
def test_it_is_kept_extended_and_compacted(tmp_path, codebooks, codes) -> None:
    codebook = codebooks["IVF8,PQ8x8"]
    table = new_table(tmp_path, codebook)
    write(table, codebook, names(0, 200), unit_vectors(200, 10))
    build_index(table, codebook, codes=codes)
    write(table, codebook, names(200, 40), unit_vectors(40, 11))
    table.delete(names(20, 30))
    compare_nearest(table, codebook)  # some are not indexed
    assert build_index(table, codebook).added == 40  # of the codes that it has
    assert stored_form(table, codebook).codes == codes
    compare_nearest(table, codebook)
    table.compact()
    assert not read_coverage(table, codebook).unindexed
    compare_nearest(table, codebook)


def compare_nearest(table: Table, codebook: homing.Codebook) -> None:
    """Check that all entries of the cells are found, in the order of their exact similarity."""
    table.refresh()
    queries = unit_vectors(12, 5)
    memory, other = Snapshot(table, codebook), Snapshot(table, codebook, "lance")
    for visited in (1, 3, 8):
        one = memory.search(queries, k=10, probes=visited, rerank=300)
        two = other.search(queries, k=10, probes=visited, rerank=300)
        np.testing.assert_array_equal(one.ids, two.ids)
        np.testing.assert_array_equal(one.similarity, two.similarity)


def test_other_codes_replace_it(tmp_path, codebooks) -> None:
    codebook = codebooks["IVF8,PQ8x8"]
    table = new_table(tmp_path, codebook)
    write(table, codebook, names(0, 60), unit_vectors(60, 10))
    for codes in ("codebook", "rq", "sq", "codebook"):
        assert build_index(table, codebook, codes=codes).added == 60
        assert [index.name for index in table.dataset.describe_indices()] == [
            IndexForm(codebook, codes).name
        ]
        assert build_index(table, codebook).added == 0


def test_the_rotation_follows_from_the_codebook(tmp_path, codebooks) -> None:
    book, other = codebooks["IVF8,PQ8x8"], codebooks["PQ8"]
    assert IndexForm(book, "rq").model == IndexForm(book, "rq").model
    assert IndexForm(book, "rq").model != IndexForm(other, "rq").model
    table = new_table(tmp_path, book)
    write(table, book, names(0, 60), unit_vectors(60, 10))
    build_index(table, book, codes="rq")
    (segment,) = read_coverage(table, book).segments
    stored = index_storage(table.dataset, segment.uuid)["fast_rotation_signs"]
    assert stored == json.loads(str(IndexForm(book, "rq").model))["fast_rotation_signs"]


def test_an_index_of_another_rotation_is_replaced(tmp_path, codebooks, monkeypatch) -> None:
    book = codebooks["IVF8,PQ8x8"]
    table = new_table(tmp_path, book)
    write(table, book, names(0, 60), unit_vectors(60, 10))
    with monkeypatch.context() as patched:
        other = rabitq_model(book.dimension, 1, b"other")
        patched.setattr(IndexForm, "model", property(lambda self: other))
        build_index(table, book, codes="rq")
    assert not read_coverage(table, book).is_sound
    assert build_index(table, book).added == 60
    assert read_coverage(table, book).is_sound


def test_the_command_the_figures_and_the_check(archive, homing_cli) -> None:
    write(archive._table, archive.codebook, names(0, 60), unit_vectors(60, 10))
    ran = homing_cli("index", archive.path, "--codes", "rq")
    assert ran.status == 0, ran.err
    figures = homing.open(archive.path).stats()
    assert (figures["indexed"], figures["index_codes"]) == (60, "rq")
    checked = homing_cli("verify", archive.path, "--quick")
    assert checked.status == 0, checked.err
    queries = unit_vectors(3, 1)
    expected = homing.open(archive.path, engine="memory").search_vectors(queries, k=5)
    found = homing.open(archive.path, engine="lance").search_vectors(queries, k=5)
    np.testing.assert_array_equal(found.ids, expected.ids)
    with pytest.raises(homing.UsageError, match="no codes 'pq'; there are codebook, rq, sq"):
        archive.index(codes="pq")


@pytest.mark.parametrize("codes", ["rq", "sq"])
def test_each_generation_has_its_own(archive, codes) -> None:
    write(archive._table, archive.codebook, names(0, 60), unit_vectors(60, 10))
    later = homing.train_codebook(
        unit_vectors(600, 2), "IVF16,PQ8x8", descriptor=archive.descriptor.fingerprint
    )
    archive.adopt(later)
    write(archive._table, later, names(60, 40), unit_vectors(40, 11), generation=2)
    done = archive.index(codes=codes)
    assert (done.indexed, done.segments) == (100, 2)
    queries = unit_vectors(5, 1)
    for probes in (2, None):
        expected, found = (
            homing.open(archive.path, engine=engine).search_vectors(queries, k=9, probes=probes)
            for engine in ("memory", "lance")
        )
        np.testing.assert_array_equal(found.ids, expected.ids)


def test_signs_have_no_such_index(tmp_path, codebooks, network_file) -> None:
    book = codebooks["PCA24,LSH"]
    archive = homing.create(tmp_path / "a", descriptor=network_file, codebook=book)
    with pytest.raises(homing.UsageError, match="no index of sign bits"):
        archive.index(codes="sq")


@pytest.mark.parametrize("factory", ["IVF8,SQ8", "IVF8,PQ8x4fsr", "IVF8,RaBitQ"])
def test_codes_that_lance_has_not_are_searched_on_disk_by_its_own(
    tmp_path, codebooks, network_file, factory
) -> None:
    book = codebooks[factory]
    archive = homing.create(tmp_path / "a", descriptor=network_file, codebook=book)
    write(archive._table, book, names(0, 60), unit_vectors(60, 10))
    archive.index(codes="sq")
    found = homing.open(archive.path, engine="lance").search_vectors(unit_vectors(3, 1), k=5)
    expected = homing.open(archive.path, engine="memory").search_vectors(unit_vectors(3, 1), k=5)
    np.testing.assert_array_equal(found.ids, expected.ids)


def test_plain_lance_finds_what_homing_finds(tmp_path, codebooks) -> None:
    book = codebooks["IVF8,PQ8x8"]
    table = new_table(tmp_path, book)
    vectors = unit_vectors(200, 10)
    write(table, book, names(0, 200), vectors)
    build_index(table, book, codes="sq")
    query = vectors[7]
    found = lance.dataset(str(table.path)).to_table(
        columns=["id", "_distance"],
        nearest={"column": "vector", "q": query, "k": 5, "nprobes": 3, "refine_factor": 4},
    )
    table.refresh()
    expected = Snapshot(table, book, "lance").search(query[None], k=5, probes=3, rerank=20)
    assert found["id"].to_pylist() == expected.ids[0].tolist()
    np.testing.assert_allclose(
        found["_distance"].to_numpy(), 2 - 2 * expected.similarity[0], atol=2e-3
    )
