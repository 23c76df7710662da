"""The memory engine, against a search of all decoded codes."""

import faiss
import numpy as np
import pytest

from homing.codebooks import Codebook, codebook_from_faiss, train_codebook
from homing.codebooks.near_cells import FurtherPlaces
from homing.errors import UsageError
from homing.search.engines.memory import (
    NO_DISTANCE,
    MemoryEngine,
    automatic_probes,
    keep_nearest,
)
from tests.helpers.vectors import clustered_unit_vectors

DIMENSION = 24
FORMS = (
    "IVF16,Flat",
    "IVF16,PQ4x8",
    "OPQ4,IVF16,PQ4x8",
    "IVF16,SQ8",
    "PQ4x8",
    "OPQ4,PQ4x8",
    "IVF16_HNSW4,PQ4x8",
)
WITH_CELLS = tuple(form for form in FORMS if "IVF" in form)


@pytest.fixture(scope="module")
def trained() -> dict[str, Codebook]:
    vectors = clustered_unit_vectors(1200, 1, DIMENSION)
    return {form: train_codebook(vectors, form) for form in (*FORMS, "LSH", "PCA16,LSH")}


@pytest.fixture(scope="module")
def entries() -> np.ndarray:
    return clustered_unit_vectors(800, 2, DIMENSION)


@pytest.fixture(scope="module")
def queries() -> np.ndarray:
    return clustered_unit_vectors(30, 3, DIMENSION)


@pytest.mark.parametrize("form", ["PQ8x4fs", "IVF16,PQ8x4fs", "IVF16,PQ8x4fsr", "IVF16,RaBitQ"])
def test_quickly_scanned_codes_are_found_as_faiss_finds_them(entries, queries, form: str) -> None:
    index = faiss.index_factory(DIMENSION, form)
    index.train(clustered_unit_vectors(1200, 1, DIMENSION))
    codebook = codebook_from_faiss(index)
    index.add(entries)
    engine = MemoryEngine(codebook, *codebook.encode_with_cells(entries))
    for probes in (1, 3, codebook.cell_count):
        if codebook.cell_count > 1:
            index.nprobe = probes
        expected, numbers = index.search(queries, 20)
        positions, distances = engine.search(queries, candidates=20, probes=probes)
        np.testing.assert_allclose(distances, expected, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(positions, numbers)


def squared_distances(queries: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    difference = queries[:, None].astype(np.float64) - vectors[None].astype(np.float64)
    return (difference**2).sum(2)


@pytest.mark.parametrize("form", FORMS)
def test_all_cells_is_brute_force_over_decoded_codes(trained, entries, queries, form: str) -> None:
    codebook = trained[form]
    cells, codes = codebook.encode_with_cells(entries)
    engine = MemoryEngine(codebook, cells, codes)
    assert len(engine) == len(entries)
    assert engine.dimension == DIMENSION
    positions, distances = engine.search(queries, candidates=20, probes=codebook.cell_count)
    assert positions.shape == distances.shape == (len(queries), 20)
    exact = squared_distances(queries, codebook.decode(cells, codes))
    np.testing.assert_allclose(distances, np.sort(exact, axis=1)[:, :20], atol=1e-4)
    # The hits have these distances; entries with the same code may come in any order.
    np.testing.assert_allclose(np.take_along_axis(exact, positions, 1), distances, atol=1e-4)
    for row in positions:
        assert len(set(row.tolist())) == 20


@pytest.mark.parametrize("form", WITH_CELLS)
@pytest.mark.parametrize("probes", [1, 3])
def test_few_probes_search_the_nearest_cells_alone(
    trained, entries, queries, form: str, probes: int
) -> None:
    codebook = trained[form]
    cells, codes = codebook.encode_with_cells(entries)
    engine = MemoryEngine(codebook, cells, codes)
    positions, _ = engine.search(queries, candidates=len(entries), probes=probes)
    own = codebook.cells(queries)
    for query, row in enumerate(positions):
        visited = cells[row[row >= 0]]
        assert own[query] in visited
        assert len(np.unique(visited)) <= probes
        # Every entry of the cells visited, and no other.
        assert (row >= 0).sum() == np.isin(cells, np.unique(visited)).sum()
        assert (row[(row >= 0).sum() :] == -1).all()


@pytest.mark.parametrize("form", WITH_CELLS)
def test_more_probes_find_no_less(trained, entries, queries, form: str) -> None:
    codebook = trained[form]
    cells, codes = codebook.encode_with_cells(entries)
    engine = MemoryEngine(codebook, cells, codes)
    everything, _ = engine.search(queries, candidates=200, probes=16)
    found = []
    nearest = []
    for probes in (1, 2, 4, 8, 16):
        positions, distances = engine.search(queries, candidates=200, probes=probes)
        found.append(
            np.mean([len(set(a) & set(b)) for a, b in zip(positions, everything, strict=True)])
        )
        nearest.append(distances[:, 0])
    assert found == sorted(found)
    assert found[0] < found[-1] == 200
    assert (np.diff(np.stack(nearest), axis=0) <= 1e-6).all()


@pytest.mark.parametrize("form", ["LSH", "PCA16,LSH"])
def test_bits_are_counted(trained, entries, queries, form: str) -> None:
    codebook = trained[form]
    cells, codes = codebook.encode_with_cells(entries)
    positions, distances = MemoryEngine(codebook, cells, codes).search(
        queries, candidates=15, probes=1
    )
    own = np.unpackbits(codebook.encode(queries), axis=1)
    differing = (own[:, None] != np.unpackbits(codes, axis=1)[None]).sum(2)
    np.testing.assert_array_equal(distances, np.sort(differing, axis=1)[:, :15])
    np.testing.assert_array_equal(np.take_along_axis(differing, positions, 1), distances)


@pytest.mark.parametrize("form", [*FORMS, "LSH", "PCA16,LSH"])
def test_an_empty_engine_finds_nothing(trained, queries, form: str) -> None:
    codebook = trained[form]
    cells, codes = codebook.encode_with_cells(np.empty((0, DIMENSION), np.float32))
    engine = MemoryEngine(codebook, cells, codes)
    assert len(engine) == 0
    positions, _ = engine.search(queries, candidates=5, probes=4)
    assert len(positions) == len(queries)
    assert (positions == -1).all()


@pytest.mark.parametrize("form", FORMS)
def test_fewer_entries_than_candidates(trained, entries, queries, form: str) -> None:
    codebook = trained[form]
    cells, codes = codebook.encode_with_cells(entries[:3])
    positions, distances = MemoryEngine(codebook, cells, codes).search(
        queries, candidates=50, probes=16
    )
    assert positions.shape == distances.shape
    assert all(sorted(row[row >= 0].tolist()) == [0, 1, 2] for row in positions)


@pytest.mark.parametrize("form", FORMS)
def test_more_probes_than_cells_are_all_cells(trained, entries, queries, form: str) -> None:
    codebook = trained[form]
    engine = MemoryEngine(codebook, *codebook.encode_with_cells(entries))
    beyond = engine.search(queries, candidates=10, probes=10**6)
    every = engine.search(queries, candidates=10, probes=16)
    np.testing.assert_array_equal(beyond[0], every[0])
    np.testing.assert_array_equal(beyond[1], every[1])


@pytest.mark.parametrize("probes", [0, -1])
def test_no_probes_are_refused(trained, entries, queries, probes: int) -> None:
    codebook = trained["IVF16,Flat"]
    engine = MemoryEngine(codebook, *codebook.encode_with_cells(entries))
    with pytest.raises(UsageError, match="probes"):
        engine.search(queries, candidates=5, probes=probes)


def test_no_queries(trained, entries) -> None:
    codebook = trained["IVF16,PQ4x8"]
    engine = MemoryEngine(codebook, *codebook.encode_with_cells(entries))
    positions, distances = engine.search(
        np.empty((0, DIMENSION), np.float32), candidates=5, probes=2
    )
    assert positions.shape == distances.shape == (0, 5)


def test_queries_in_another_layout(trained, entries, queries) -> None:
    codebook = trained["IVF16,PQ4x8"]
    engine = MemoryEngine(codebook, *codebook.encode_with_cells(entries))
    expected = engine.search(queries, candidates=5, probes=2)
    for same in (np.asfortranarray(queries), queries.astype(np.float64), queries.repeat(2, 0)[::2]):
        found = engine.search(same, candidates=5, probes=2)
        np.testing.assert_array_equal(found[0], expected[0])


def test_automatic_probes() -> None:
    assert [automatic_probes(n) for n in (1, 3, 8, 64, 256, 257, 1024, 4096)] == [
        *(1, 3, 4, 4, 4, 5, 16, 64)
    ]


@pytest.mark.parametrize("form", WITH_CELLS)
@pytest.mark.parametrize("probes", [1, 2, 16])
def test_an_entry_in_several_cells_is_found_once_at_its_nearest_code(
    trained, entries, queries, form: str, probes: int
) -> None:
    codebook = trained[form]
    cells, codes = codebook.encode_with_cells(entries)
    owners = np.repeat(np.arange(0, len(entries), 2), 2)  # every second entry in three cells
    near = codebook.nearest_cells(entries, 3)[::2, 1:].ravel()
    further = FurtherPlaces(owners, near, codebook.encode(entries[owners], near))
    engine = MemoryEngine(codebook, cells, codes, further)
    assert len(engine) == len(entries)
    positions, distances = engine.search(queries, candidates=50, probes=probes)
    visited = codebook.nearest_cells(queries, probes)
    held = np.concatenate([cells, near]), np.concatenate([np.arange(len(entries)), owners])
    decoded = codebook.decode(held[0], np.concatenate([codes, further.codes]))
    exact = squared_distances(queries, decoded)
    for query, (row, measured) in enumerate(zip(positions, distances, strict=True)):
        least: dict[int, float] = {}
        for place in np.flatnonzero(np.isin(held[0], visited[query])):
            owner = int(held[1][place])
            least[owner] = min(least.get(owner, np.inf), exact[query, place])
        count = min(50, len(least))
        assert (row >= 0).sum() == count == len(set(row[:count].tolist()))
        np.testing.assert_allclose(measured[:count], sorted(least.values())[:count], atol=1e-4)
        for name, distance in zip(row[:count].tolist(), measured, strict=False):
            assert least[name] == pytest.approx(distance, abs=1e-4)


def test_the_nearest_place_of_each_entry_is_kept() -> None:
    found = np.array([[4, 2, 4, -1], [7, 7, 7, 1], [-1, -1, -1, -1]])
    measured = np.arange(12, dtype=np.float32).reshape(3, 4)
    positions, distances = keep_nearest(found, measured)
    assert positions.tolist() == [[4, 2, -1, -1], [7, 1, -1, -1], [-1] * 4]
    assert distances[0, :2].tolist() == [0, 1]
    assert distances[1].tolist() == [4, 7, NO_DISTANCE, NO_DISTANCE]
