"""What an index is told of a released picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.activation import recorded_vectors
from homing.codebooks import train_codebook


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def codebook():
    return train_codebook(unit(np.random.default_rng(0).normal(size=(400, 8))), "IVF8,Flat")


@given(seed=st.integers(0, 10_000), far=st.sampled_from([0.1, 0.5, 2.0]))
def test_it_is_unit_and_in_the_cell_of_the_file(codebook, seed: int, far: float) -> None:
    generator = np.random.default_rng(seed)
    sources = unit(generator.normal(size=(20, 8)))
    files = unit(sources + far * generator.normal(size=(20, 8)))
    recorded = recorded_vectors(codebook, sources, files)
    assert recorded.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(recorded, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(codebook.cells(recorded), codebook.cells(files))


def test_it_lies_between_source_and_file_nearer_to_the_source(codebook) -> None:
    generator = np.random.default_rng(1)
    sources = unit(generator.normal(size=(50, 8)))
    files = unit(sources + 0.1 * generator.normal(size=(50, 8)))
    recorded = recorded_vectors(codebook, sources, files)
    same = codebook.cells(unit(sources + 0.5 * files)) == codebook.cells(files)
    assert same.sum() > 25
    to_source, to_file = ((recorded * ends).sum(axis=1)[same] for ends in (sources, files))
    apart = (sources * files).sum(axis=1)[same]
    assert (apart < to_file).all()
    assert (to_file < to_source).all()
    np.testing.assert_array_equal(recorded[~same], files[~same])
