"""Seeded unit vectors."""

import numpy as np

DIMENSION = 192
"""Length of the vectors of the tests' own network (`network_file`)."""


def unit_vectors(count: int, seed: int, dimension: int = DIMENSION) -> np.ndarray:
    """Return (count, dimension) float32, normalised in double precision."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clustered_unit_vectors(count: int, seed: int, dimension: int = 32) -> np.ndarray:
    """Return vectors around twenty centres, which are the same for every seed."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((20, dimension))
    vectors = centres[generator.integers(20, size=count)]
    vectors = vectors + 0.7 * generator.standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
