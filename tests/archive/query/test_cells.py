"""Cells of pictures: where a database that keeps entries by cell would look."""

from pathlib import Path

import pytest

import homing
from homing.archive.query.cells import cells_of
from tests.helpers.archive import write
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors


@pytest.fixture
def archive(tmp_path: Path, network_file: Path) -> homing.Archive:
    book = homing.train_codebook(
        unit_vectors(600, 1),
        "IVF8,PQ8x8",
        descriptor=homing.load_descriptor(network_file).fingerprint,
    )
    made = homing.create(tmp_path / "archive", descriptor=network_file, codebook=book)
    made.add(make_pictures(tmp_path / "photos", 6))
    return made


def test_a_dictionary_of_cells_finds_what_the_archive_does(archive, tmp_path) -> None:
    store: dict[int, list[str]] = {}
    for row in archive.entries():
        store.setdefault(row.cell, []).append(row.id)
    for number in range(6):
        picture = tmp_path / "photos" / f"{number:03}.jpg"
        (cell,) = archive.cells(picture)
        assert f"{number:03}.jpg" in store[cell]
        assert archive.cells(picture, 3)[0] == cell
    assert sorted(archive.cells(picture, 99)) == list(range(8))


def test_cells_are_those_that_a_search_probes(archive) -> None:
    queries = unit_vectors(30, 5)
    names = [f"v{n}" for n in range(200)]
    write(archive._table, archive.codebook, names, unit_vectors(200, 6))
    cells = {row.id: row.cell for row in archive.entries()}
    for query in queries:
        found = archive.search_vectors(query[None], k=300, probes=3, rerank=0)
        visited = {cells[name] for name in found.ids[0] if name is not None}
        assert visited <= set(cells_of(archive.codebook, query[None], 3))
        filled = set(cells.values())
        assert visited == set(cells_of(archive.codebook, query[None], 3)) & filled


def test_views_come_one_after_the_other_and_each_cell_once(archive, tmp_path) -> None:
    vectors = unit_vectors(5, 8)
    near = archive.codebook.nearest_cells(vectors, 2)
    expected = list(dict.fromkeys([*near[:, 0].tolist(), *near[:, 1].tolist()]))
    assert list(cells_of(archive.codebook, vectors, 2)) == expected
    picture = tmp_path / "photos" / "000.jpg"
    upright = archive.cells(picture)
    assert archive.cells(picture, views="turned")[0] == upright[0]


def test_generations_have_their_own_cells(archive, tmp_path) -> None:
    picture = tmp_path / "photos" / "000.jpg"
    first = archive.cells(picture, 8)
    archive.adopt(
        homing.train_codebook(
            unit_vectors(600, 2), "IVF4,Flat", descriptor=archive.descriptor.fingerprint
        )
    )
    assert sorted(archive.cells(picture, 99)) == [0, 1, 2, 3]
    assert archive.cells(picture, 8, generation=1) == first
    for wrong in (0, 3):
        with pytest.raises(homing.UsageError, match="no generation"):
            archive.cells(picture, generation=wrong)
    with pytest.raises(homing.UsageError, match="at least 1"):
        archive.cells(picture, 0)


def test_the_command(archive, tmp_path, homing_cli) -> None:
    (tmp_path / "photos" / "bad.jpg").write_bytes(b"no picture")
    ran = homing_cli("cells", archive.path, tmp_path / "photos", "--probes", "2", "--json")
    assert ran.status == 1
    good = [answer for answer in ran.objects if "cells" in answer]
    assert len(good) == 6
    for answer in good:
        assert tuple(answer["cells"]) == archive.cells(answer["query"], 2)
    (failed,) = [answer for answer in ran.objects if "cells" not in answer]
    assert (failed["status"], failed["query"].endswith("bad.jpg")) == ("failed", True)
