"""Codebooks trained once for the tests of this folder."""

from collections.abc import Callable

import numpy as np
import pytest

from homing.codebooks import Codebook, train_codebook
from tests.helpers.vectors import clustered_unit_vectors

FORMS = (
    "IVF16,Flat",
    "IVF16,PQ4x8",
    "OPQ4,IVF16,PQ4x8",
    "PQ4x8",
    "OPQ4,PQ4x8",
    "PCA20,LSH",
    "LSH",
    "IVF16,SQ8",
    "IVF16_HNSW4,PQ4x8",
    "PQ8x4fs",
    "IVF16,PQ8x4fs",
    "OPQ8,IVF16,PQ8x4fsr",
    "IVF16,RaBitQ",
)


@pytest.fixture(scope="session")
def trained() -> Callable[[str], Codebook]:
    """The codebook of a form, trained once in a session."""
    made: dict[str, Codebook] = {}

    def make(form: str) -> Codebook:
        if form not in made:
            made[form] = train_codebook(
                clustered_unit_vectors(1500, 1), form, descriptor="ab" * 32, descriptor_name="tiny"
            )
        return made[form]

    return make


@pytest.fixture(params=FORMS)
def codebook(request: pytest.FixtureRequest, trained: Callable[[str], Codebook]) -> Codebook:
    """Each of the accepted forms in turn."""
    return trained(request.param)


@pytest.fixture(scope="session")
def vectors() -> np.ndarray:
    return clustered_unit_vectors(700, 2)


@pytest.fixture(scope="session")
def make_vectors() -> Callable[..., np.ndarray]:
    """``make_vectors(count, seed)``: clustered unit vectors of length 32."""
    return clustered_unit_vectors
