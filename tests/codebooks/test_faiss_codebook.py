"""Cells of Faiss indexes as values: equality, copies, checks."""

import pickle

import faiss
import numpy as np
import pytest

from homing.codebooks import FaissCodebook, codebook_from_faiss, train_codebook, with_codes
from homing.errors import CodebookError
from tests.helpers.faiss_indexes import DIMENSION, trained_index
from tests.helpers.vectors import clustered_unit_vectors


@pytest.fixture(scope="module")
def codebook() -> FaissCodebook:
    made = codebook_from_faiss(trained_index("RR16,IVF16_HNSW8,SQ4"), descriptor="ab" * 32)
    assert isinstance(made, FaissCodebook)
    return made


def test_equal_by_fingerprint(codebook: FaissCodebook) -> None:
    again = pickle.loads(pickle.dumps(codebook))
    assert again == codebook
    assert hash(again) == hash(codebook)
    assert (again.reason, again.descriptor) == (codebook.reason, codebook.descriptor)
    other = FaissCodebook(codebook.name, DIMENSION, codebook.data, "cd" * 32)
    assert other != codebook
    assert codebook.fingerprint[:12] in codebook.title


def test_codes_are_refused_by_name(codebook: FaissCodebook) -> None:
    with pytest.raises(CodebookError, match="IndexHNSWFlat"):
        with_codes(codebook)
    plain = train_codebook(clustered_unit_vectors(600, 1), "IVF8,Flat")
    assert with_codes(plain) is plain


@pytest.mark.parametrize(
    "vectors", [np.zeros((2, 3)), np.full((2, DIMENSION), np.nan), np.zeros(DIMENSION)]
)
def test_vectors_that_do_not_fit(codebook: FaissCodebook, vectors: np.ndarray) -> None:
    for method in (codebook.cells, codebook.target, lambda v: codebook.nearest_cells(v, 2)):
        with pytest.raises(CodebookError):
            method(vectors)


def test_no_vectors(codebook: FaissCodebook) -> None:
    none = np.zeros((0, DIMENSION), np.float32)
    assert codebook.cells(none).shape == (0,)
    assert codebook.nearest_cells(none, 2).shape == (0, 2)
    assert codebook.target(none).shape == (0, DIMENSION)


def test_damaged_data_are_refused(codebook: FaissCodebook) -> None:
    with pytest.raises(CodebookError, match="cannot be used"):
        FaissCodebook("IVF16", DIMENSION, codebook.data[:100])
    norm = faiss.index_factory(DIMENSION, "L2norm,IVF16,SQ4")
    transform = faiss.downcast_VectorTransform(norm.chain.at(0))
    norm.train(clustered_unit_vectors(600, 1))
    transform.norm = 1.0
    with pytest.raises(CodebookError):
        codebook_from_faiss(norm)
