"""Training of codebooks: the same one for the same seed, and refusals."""

from collections.abc import Callable

import faiss
import numpy as np
import pytest

from homing.codebooks import parse_factory, train_codebook
from homing.errors import CodebookError

MakeVectors = Callable[..., np.ndarray]


@pytest.mark.parametrize("form", ["IVF8,PQ4x8", "OPQ4,PQ4x8", "PCA20,LSH", "IVF8,SQ8"])
def test_the_same_seed_gives_the_same_codebook(form: str, make_vectors: MakeVectors) -> None:
    vectors = make_vectors(600, 7)
    first = train_codebook(vectors, form, seed=3)
    assert train_codebook(vectors.astype(np.float64), form, seed=3) == first
    assert train_codebook(vectors[:-1], form, seed=3) != first


def test_the_seed_is_used(make_vectors: MakeVectors) -> None:
    vectors = make_vectors(600, 7)
    for form in ("IVF8,Flat", "PQ4x8"):
        assert train_codebook(vectors, form, seed=1) != train_codebook(vectors, form, seed=2)


def test_the_number_of_threads_changes_nothing(make_vectors: MakeVectors) -> None:
    vectors = make_vectors(3000, 8)
    threads = faiss.omp_get_max_threads()
    made = []
    try:
        for count in (1, 3):
            faiss.omp_set_num_threads(count)
            made.append(train_codebook(vectors, "IVF32,PQ4x8"))
    finally:
        faiss.omp_set_num_threads(threads)
    assert made[0] == made[1]


def test_it_names_the_descriptor_it_was_trained_for(make_vectors: MakeVectors) -> None:
    codebook = train_codebook(
        make_vectors(300, 1), "PQ4", descriptor="ab" * 32, descriptor_name="tiny"
    )
    assert codebook.descriptor == "ab" * 32
    assert codebook.descriptor_name == "tiny"
    assert str(codebook.factory) == "PQ4x8"
    assert (codebook.cell_count, codebook.code_size, codebook.dimension) == (1, 4, 32)


@pytest.mark.parametrize(
    ("form", "least"),
    [
        ("IVF300,Flat", 300),
        ("IVF8,PQ4x8", 256),
        ("PQ4x8", 256),
        ("PCA20,LSH", 20),
        ("OPQ4,IVF300,PQ4x8", 300),
        ("IVF8,SQ8", 8),
        ("LSH", 1),
    ],
)
def test_too_few_vectors_are_refused_with_the_number_needed(
    form: str, least: int, make_vectors: MakeVectors
) -> None:
    assert parse_factory(form).least_vectors(32) == least
    with pytest.raises(CodebookError, match=rf"needs at least {least} vectors.*got {least - 1}"):
        train_codebook(make_vectors(least - 1, 1), form)
    assert train_codebook(make_vectors(least, 1), form).encode(make_vectors(3, 2)).shape[0] == 3


def test_identical_vectors_train_a_codebook_that_works() -> None:
    vectors = np.tile(np.float32([0.6, 0.8, 0, 0]), (300, 1))
    codebook = train_codebook(vectors, "IVF4,PQ2x8")
    decoded = codebook.decode(*codebook.encode_with_cells(vectors[:1]))
    np.testing.assert_allclose(decoded, vectors[:1], atol=1e-2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e38])
def test_vectors_that_are_not_numbers_are_refused(bad: float, make_vectors: MakeVectors) -> None:
    vectors = make_vectors(300, 1)
    vectors[17, 3] = bad
    with pytest.raises(CodebookError, match="the first is row 17"):
        train_codebook(vectors, "PQ4")


def test_other_wrong_arguments_are_refused(make_vectors: MakeVectors) -> None:
    vectors = make_vectors(300, 1)
    for arguments in ((vectors[0], "PQ4"), (vectors, "PQ5"), (vectors, "PCA33,LSH")):
        with pytest.raises(CodebookError):
            train_codebook(*arguments)
    for seed in (-1, 1 << 31):
        with pytest.raises(CodebookError, match="seed"):
            train_codebook(vectors, "PQ4", seed=seed)
