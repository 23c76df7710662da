"""Movements of vectors by activation."""

import numpy as np
import pytest

from homing.bench.questions.cells import middles
from homing.bench.questions.density import fit_move
from homing.codebooks import Codebook
from tests.helpers.bench import seeded_unit_vectors


def middles_of_cells(codebook, vectors):
    return middles(codebook, codebook.cells(vectors))


@pytest.mark.parametrize(
    ("goals", "name"),
    [(Codebook.target, "the codebook's target"), (middles_of_cells, "the middle of their cell")],
)
def test_vectors_move_where_and_as_far_as_pictures_did(codebook, goals, name):
    before = seeded_unit_vectors(300, 10)
    lengths = np.linalg.norm(goals(codebook, before), axis=1, keepdims=True)
    towards = goals(codebook, before) / lengths
    for strength in (0.2, 0.6):
        after = before + strength * (towards - before)
        after /= np.linalg.norm(after, axis=1, keepdims=True)
        move = fit_move(before, after, codebook)
        assert move.name == name
        assert move.strength == pytest.approx(strength, abs=1e-3)
        assert np.allclose(move.apply(codebook, before), after, atol=1e-3)
    assert fit_move(before, before, codebook).strength == pytest.approx(0, abs=1e-3)
