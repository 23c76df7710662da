"""Further places of entries: their values, and what an archive does with them."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import homing
from homing.archive.table.places import (
    PLACES,
    PackedPlaces,
    most_places,
    pack_places,
    places_field,
    places_of,
    unpack_places,
)
from homing.files.small_json import decode, encode
from tests.helpers.archive import rows_for, write
from tests.helpers.vectors import unit_vectors


@pytest.fixture
def made(tmp_path, network_file, codebook):
    """Make an archive of some places, with 90 released and 30 added entries."""

    def make(places: int, name: str = "archive") -> "homing.Archive":
        archive = homing.create(
            tmp_path / name, descriptor=network_file, codebook=codebook, places=places
        )
        released = [f"r{n:03}" for n in range(90)]
        write(archive._table, codebook, released, unit_vectors(90, 2), "released")
        write(archive._table, codebook, [f"a{n:03}" for n in range(30)], unit_vectors(30, 3))
        return archive

    return make


def test_a_value_holds_cells_and_codes():
    codes = np.arange(24, dtype=np.uint8).reshape(3, 8)
    value = pack_places([5, 70_000, 0], codes)
    cells, held = unpack_places(value, 8)
    assert cells.tolist() == [5, 70_000, 0]
    assert held.tolist() == codes.tolist()
    assert pack_places([], codes[:0]) is None
    assert [len(each) for each in unpack_places(None, 8)] == [0, 0]
    with pytest.raises(ValueError, match="cut off"):
        unpack_places(value[:-1], 8)


def test_the_column_says_how_many_there_are():
    assert most_places(pa.schema([places_field(3)])) == 3
    assert most_places(pa.schema([])) == 1


def test_places_are_the_nearest_cells_of_released_pictures(codebook):
    vectors = unit_vectors(40, 7)
    values = places_of(codebook, vectors, [n % 2 == 0 for n in range(40)], 3)
    near = codebook.nearest_cells(vectors, 3)
    for number, value in enumerate(values):
        if number % 2:
            assert value is None
            continue
        cells, codes = unpack_places(value, 8)
        assert cells.tolist() == near[number, 1:].tolist()
        assert (codes == codebook.encode(vectors[[number] * 2], cells)).all()
    assert places_of(codebook, vectors[:2], [True, True], 1) == [None, None]


def test_packed_places_are_unpacked_for_some_rows(codebook):
    values = places_of(codebook, unit_vectors(20, 7), [n % 3 == 0 for n in range(20)], 3)
    column = pa.array(values, pa.binary())
    parts = [PackedPlaces.of(column[:8]), PackedPlaces.of(column[8:], 8)]
    every = PackedPlaces.joined(parts).unpack(8)
    assert every.owners.tolist() == [n for n in range(0, 20, 3) for _ in range(2)]
    some = PackedPlaces.joined(parts).unpack(8, np.array([2, 3, 9, 10]))
    assert some.owners.tolist() == [1, 1, 2, 2]
    at = np.isin(every.owners, [3, 9])
    assert (some.cells == every.cells[at]).all()
    assert (some.codes == every.codes[at]).all()
    assert not len(PackedPlaces.joined([]).unpack(8).owners)


def test_copies_that_left_their_cell_are_found_in_the_next_at_one_probe(made, codebook):
    one, two = made(1), made(2, "other")
    assert one._table.schema.names == [n for n in two._table.schema.names if n != PLACES]
    own, next_one = codebook.nearest_cells(unit_vectors(90, 2), 2).T
    towards = codebook.arrays["coarse"][next_one]
    queries = unit_vectors(90, 2) + 3 * (towards - codebook.arrays["coarse"][own])
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    left = codebook.cells(queries) == next_one
    assert left.sum() > 60
    names = np.array([f"r{n:03}" for n in range(90)])
    found = {
        archive: (archive.search_vectors(queries, k=200, probes=1).ids == names[:, None]).any(1)
        for archive in (one, two)
    }
    assert not found[one][left].any()
    assert found[two][left].all()
    twice = two.search_vectors(queries, k=200, probes=8)
    assert all(len(set(row) - {None}) == 120 for row in twice.ids)  # each once


def test_stats_and_entries_tell_them(made, codebook):
    archive = made(3)
    assert archive.settings.places == 3
    stats = archive.stats()
    assert (stats["places"], stats["further_places"]) == (3, 180)
    assert stats["bytes_of_codes"] == 120 * 16 + 180 * 16
    row = archive.entry("r007")
    near = codebook.nearest_cells(np.asarray(row.vector, np.float32)[None], 3)[0].tolist()
    assert [row.cell, *row.further_cells] == near
    assert archive.entry("a007").as_dict()["further_cells"] == []
    archive.remove(["r007"])
    assert archive.stats()["further_places"] == 178


def test_damaged_places_are_named(made, codebook):
    archive = made(2)
    assert archive.verify(files=False).clean
    rows = rows_for(codebook, ["r001", "r002", "r003"], unit_vectors(3, 9), "released")
    wrong = [None, b"cut", bytes(12)]
    rows = [replace(row, places=value) for row, value in zip(rows, wrong, strict=True)]
    archive._table.upsert(archive._table.to_arrow(rows))
    problems = archive.verify(files=False).problems
    assert {problem.id for problem in problems} == {"r001", "r002", "r003"}
    assert all("further places are not the codebook's" in each.message for each in problems)


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 3), (2, 2)])
def test_an_import_holds_entries_where_the_archive_does(made, tmp_path, before, after):
    source, target = made(before), made(after, "other")
    target.remove([row.id for row in target.entries()])
    source.export(tmp_path / "rows.parquet")
    assert target.import_rows(tmp_path / "rows.parquet").imported == 120
    assert target.verify(files=False).clean
    assert target.stats()["further_places"] == 90 * (after - 1)


def test_a_later_generation_has_its_own_places(made, network):
    archive = made(2)
    wider = homing.train_codebook(
        unit_vectors(600, 4), "IVF16,PQ16x8", descriptor=network.fingerprint
    )
    archive.adopt(wider)
    added = [f"s{n:03}" for n in range(50)]
    write(archive._table, wider, added, unit_vectors(50, 5), "released", 2)
    assert archive.verify(files=False).clean
    assert archive.stats()["further_places"] == 140
    archive.index()
    indexed = homing.open(archive.path, engine="lance")
    in_memory = homing.open(archive.path, engine="memory")
    for probes in (1, 2, 8):
        one, other = (
            each.search_vectors(unit_vectors(20, 6), k=30, probes=probes, rerank=0)
            for each in (in_memory, indexed)
        )
        assert (one.ids == other.ids).all()
        np.testing.assert_allclose(one.code_distance, other.code_distance, atol=1e-5)


def test_an_archive_made_before_has_one(made):
    archive = made(1)
    path = archive.path / "archive.json"
    values = decode(path.read_bytes(), (1,))
    assert values.pop("places") == 1
    path.write_bytes(encode(values))
    again = homing.open(archive.path)
    assert again.settings.places == 1
    assert again.verify(files=False).clean


def test_how_many_there_may_be_is_checked(made):
    for places in (0, 5):
        with pytest.raises(homing.UsageError, match="in 1 to 4 cells"):
            made(places)
