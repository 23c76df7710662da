"""Cells near a vector, and their middles."""

import numpy as np
import pytest

from homing.bench.questions.cells import middles, nearest_cells
from homing.codebooks import train_codebook
from tests.helpers.bench import DIMENSION, seeded_unit_vectors


@pytest.mark.parametrize("factory", ["IVF8,PQ8x8", "OPQ8,IVF8,PQ8x8"])
def test_the_nearest_cells_of_a_vector(factory):
    codebook = train_codebook(seeded_unit_vectors(2000, 0), factory)
    vectors = seeded_unit_vectors(5000, 9)  # more than a block
    rotation = codebook.arrays.get("rotation", np.eye(DIMENSION, dtype=np.float32))
    distances = (((vectors @ rotation.T)[:, None] - codebook.arrays["coarse"]) ** 2).sum(axis=2)
    near = nearest_cells(codebook, vectors, 3)
    assert near.tolist() == np.argsort(distances, axis=1)[:, :3].tolist()
    assert near[:, 0].tolist() == codebook.cells(vectors).tolist()


@pytest.mark.parametrize("factory", ["IVF8,PQ8x8", "OPQ8,IVF8,PQ8x8"])
def test_the_middle_of_a_cell_is_in_it(factory):
    codebook = train_codebook(seeded_unit_vectors(2000, 0), factory)
    cells = np.arange(8, dtype=np.int32)
    assert codebook.cells(middles(codebook, cells)).tolist() == cells.tolist()
