"""Faiss indexes rebuilt from arrays, cells and codes."""

from collections.abc import Callable

import faiss
import numpy as np
import pytest

from homing.codebooks import Codebook, codebook_from_faiss, parse_factory, train_codebook
from homing.codebooks.rebuild import arrays_of

Trained = Callable[[str], Codebook]
MakeVectors = Callable[..., np.ndarray]


def _probe(index: faiss.Index, probes: int) -> faiss.Index:
    coded = faiss.try_extract_index_ivf(index)
    if coded is not None:
        coded.nprobe = probes
    return index


def _same(first: faiss.Index, second: faiss.Index, queries: np.ndarray) -> None:
    for probes in (1, 8):
        ours = _probe(first, probes).search(queries, 10)
        theirs = _probe(second, probes).search(queries, 10)
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize(
    "form",
    [
        "IVF16,Flat",
        "IVF16,PQ4x8np",
        "OPQ4,IVF16,PQ4x8np",
        "PQ4x8np",
        "OPQ4,PQ4x8np",
        "PCA20,LSH",
        "LSH",
        "IVF16,SQ8",
        "PQ8x4fs",
        "IVF16,PQ8x4fs",
        "IVF16,PQ8x4fsr",
        "IVF16,RaBitQ",
    ],
)
def test_an_index_that_faiss_trained_is_rebuilt_to_the_bit(
    form: str, make_vectors: MakeVectors, vectors: np.ndarray
) -> None:
    faiss_trained = faiss.index_factory(32, form)
    faiss_trained.train(make_vectors(2 * 39 * 256, 4))
    factory = parse_factory(form.removesuffix("np"))
    codebook = Codebook(factory, 32, arrays_of(faiss_trained, factory))
    faiss_trained.add(vectors)
    index = codebook.index(*codebook.encode_with_cells(vectors))
    assert index.ntotal == len(vectors)
    _same(index, faiss_trained, make_vectors(40, 5))


def test_turned_codes_are_those_of_faiss_but_for_the_last_digits(
    make_vectors: MakeVectors, vectors: np.ndarray
) -> None:
    theirs = faiss.index_factory(32, "RR32,IVF16,RaBitQ")
    theirs.train(make_vectors(2000, 4))
    factory = parse_factory("RR32,IVF16,RaBitQ")
    codebook = Codebook(factory, 32, arrays_of(theirs, factory))
    assert codebook_from_faiss(theirs) == codebook
    cells, codes = codebook.encode_with_cells(vectors)
    expected = theirs.sa_encode(vectors)
    np.testing.assert_array_equal(expected[:, 0], cells)
    np.testing.assert_array_equal(expected[:, 1:5], codes[:, :4])  # the signs
    factors = [
        np.ascontiguousarray(each).view(np.float32) for each in (expected[:, 5:], codes[:, 4:])
    ]
    np.testing.assert_allclose(*factors, rtol=1e-5, atol=1e-6)
    theirs.add(vectors)
    index = codebook.index(cells, codes)
    for probes in (1, 8):
        ours, other = (_probe(each, probes).search(vectors[:40], 10) for each in (index, theirs))
        np.testing.assert_allclose(ours[0], other[0], atol=1e-5)
        assert np.mean(ours[1] == other[1]) > 0.99


def test_filling_equals_adding(
    codebook: Codebook, vectors: np.ndarray, make_vectors: MakeVectors
) -> None:
    added = codebook.index()
    added.add(vectors)
    filled = codebook.index(*codebook.encode_with_cells(vectors))
    _same(filled, added, make_vectors(40, 5))
    more = make_vectors(30, 6)  # a filled index still grows
    for index in (added, filled):
        index.add(more)
    _same(filled, added, more)


def test_stored_codes_are_taken_as_they_are(trained: Trained, vectors: np.ndarray) -> None:
    codebook = trained("IVF16,PQ4x8")
    generator = np.random.default_rng(3)
    cells = generator.integers(16, size=500)
    codes = generator.integers(256, size=(500, 4), dtype=np.uint8)
    index = codebook.index(cells, codes)
    for cell in range(16):
        ids = faiss.rev_swig_ptr(index.invlists.get_ids(cell), index.invlists.list_size(cell))
        held = faiss.rev_swig_ptr(index.invlists.get_codes(cell), 4 * len(ids)).reshape(-1, 4)
        np.testing.assert_array_equal(ids, np.flatnonzero(cells == cell))
        np.testing.assert_array_equal(held, codes[ids])


def test_an_empty_index_finds_nothing(codebook: Codebook, vectors: np.ndarray) -> None:
    cells, codes = codebook.encode_with_cells(vectors[:0])
    for index in (codebook.index(), codebook.index(cells, codes)):
        assert index.ntotal == 0
        assert index.is_trained
        assert (index.search(vectors[:3], 2)[1] == -1).all()


def test_an_index_lives_on_without_its_codebook(codebook: Codebook, vectors: np.ndarray) -> None:
    owned = Codebook(codebook.factory, codebook.dimension, codebook.arrays)
    index = owned.index(*owned.encode_with_cells(vectors))
    before = index.search(vectors[:20], 5)
    del owned
    np.testing.assert_array_equal(index.search(vectors[:20], 5)[1], before[1])


def test_a_graph_over_the_centroids_changes_no_cell_and_no_code(
    make_vectors: MakeVectors, vectors: np.ndarray
) -> None:
    plain = train_codebook(make_vectors(4000, 1), "IVF400,PQ4x8")
    graph = train_codebook(make_vectors(4000, 1), "IVF400_HNSW8,PQ4x8")
    assert graph != plain
    for theirs, ours in zip(
        plain.encode_with_cells(vectors), graph.encode_with_cells(vectors), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(graph.nearest_cells(vectors, 5), plain.nearest_cells(vectors, 5))

    index = graph.index(*graph.encode_with_cells(vectors))
    assert isinstance(faiss.downcast_index(index.quantizer), faiss.IndexHNSWFlat)
    found = index.quantizer.search(vectors, 4)[1]
    assert np.mean(found == plain.nearest_cells(vectors, 4)) > 0.99
    queries = make_vectors(100, 5)
    _, expected = _probe(plain.index(*plain.encode_with_cells(vectors)), 8).search(queries, 5)
    assert np.mean(_probe(index, 8).search(queries, 5)[1] == expected) > 0.98


def test_a_graph_is_the_same_each_time(make_vectors: MakeVectors) -> None:
    codebook = train_codebook(make_vectors(4000, 1), "IVF400_HNSW8,Flat")
    again = Codebook(codebook.factory, 32, codebook.arrays)
    threads = faiss.omp_get_max_threads()
    made = []
    try:
        for count, each in ((1, codebook), (3, again)):
            faiss.omp_set_num_threads(count)
            made.append(faiss.serialize_index(each.index()))
            assert faiss.omp_get_max_threads() == count
    finally:
        faiss.omp_set_num_threads(threads)
    np.testing.assert_array_equal(made[0], made[1])


def test_a_table_too_large_is_left_out(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    codebook = trained("IVF16,PQ4x8")
    assert codebook.index().precomputed_table.size()
    monkeypatch.setattr("homing.codebooks.rebuild._LARGEST_TABLE", 1000)
    assert not codebook.index().precomputed_table.size()
