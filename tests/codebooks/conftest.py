"""Codebooks trained once for the tests of this folder."""

from collections.abc import Callable

import numpy as np
import pytest

from homing.codebooks import Codebook, train_codebook

FORMS = (
    "IVF16,Flat",
    "IVF16,PQ4x8",
    "OPQ4,IVF16,PQ4x8",
    "PQ4x8",
    "OPQ4,PQ4x8",
    "PCA20,LSH",
    "LSH",
    "IVF16,SQ8",
)


def _unit_vectors(count: int, seed: int, dimension: int = 32) -> np.ndarray:
    """Clustered unit vectors, as descriptors are."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((20, dimension))
    vectors = centres[generator.integers(20, size=count)]
    vectors = vectors + 0.7 * generator.standard_normal((count, dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


@pytest.fixture(scope="session")
def trained() -> Callable[[str], Codebook]:
    """The codebook of a form, trained once in a session."""
    made: dict[str, Codebook] = {}

    def make(form: str) -> Codebook:
        if form not in made:
            made[form] = train_codebook(
                _unit_vectors(1500, 1), form, descriptor="ab" * 32, descriptor_name="tiny"
            )
        return made[form]

    return make


@pytest.fixture(params=FORMS)
def codebook(request: pytest.FixtureRequest, trained: Callable[[str], Codebook]) -> Codebook:
    """Each of the accepted forms in turn."""
    return trained(request.param)


@pytest.fixture(scope="session")
def vectors() -> np.ndarray:
    return _unit_vectors(700, 2)


@pytest.fixture(scope="session")
def make_vectors() -> Callable[..., np.ndarray]:
    """``make_vectors(count, seed)``: clustered unit vectors of length 32."""
    return _unit_vectors
