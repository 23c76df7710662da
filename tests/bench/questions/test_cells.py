"""The middles of cells."""

import numpy as np
import pytest

from homing.bench.questions.cells import middles
from homing.codebooks import train_codebook
from tests.helpers.bench import seeded_unit_vectors


@pytest.mark.parametrize("factory", ["IVF8,PQ8x8", "OPQ8,IVF8,PQ8x8"])
def test_the_middle_of_a_cell_is_in_it(factory):
    codebook = train_codebook(seeded_unit_vectors(2000, 0), factory)
    cells = np.arange(8, dtype=np.int32)
    assert codebook.cells(middles(codebook, cells)).tolist() == cells.tolist()
