"""An adversary: methods that aim at another cell, and edits that wash a change out."""

import numpy as np
import pytest
import torch

from homing.activation import find_method
from homing.activation.objectives.objective import Targets
from homing.bench.questions.adversary import WASHES, aim_elsewhere, next_cell
from homing.codebooks import train_codebook
from tests.helpers.bench import DIMENSION, seeded_unit_vectors


@pytest.mark.parametrize("factory", ["IVF8,PQ8x8", "OPQ8,IVF8,PQ8x8", "IVF8,Flat"])
def test_an_adversary_pulls_into_the_second_nearest_cell(factory):
    codebook = train_codebook(seeded_unit_vectors(2000, 0), factory)
    vectors = seeded_unit_vectors(200, 9)
    rotation = codebook.arrays.get("rotation", np.eye(DIMENSION, dtype=np.float32))
    inner = vectors @ rotation.T
    distances = ((inner[:, None] - codebook.arrays["coarse"]) ** 2).sum(axis=2)
    second = np.argsort(distances, axis=1)[:, 1]
    assert codebook.cells(next_cell(codebook, vectors)).tolist() == second.tolist()
    assert codebook.cells(vectors).tolist() == distances.argmin(axis=1).tolist()


@pytest.mark.parametrize("name", ["paper", "robust"])
def test_any_method_can_be_turned_against_its_cell(codebook, name):
    method = aim_elsewhere(find_method(name))
    vectors = seeded_unit_vectors(20, 9)
    targets = Targets.in_own_cells(codebook, vectors)
    objective = method.objective(targets, method.settings, torch.device("cpu"))
    there = next_cell(codebook, vectors)
    there /= np.linalg.norm(there, axis=1, keepdims=True)
    change = torch.zeros(20, 3, 4, 4)
    assert (
        objective(torch.from_numpy(there), change) < objective(torch.from_numpy(vectors), change)
    ).all()


def test_washing_keeps_the_size_and_changes_the_picture(make_noise):
    image = make_noise(3)
    mild, hard = (np.asarray(edit.apply(image, np.random.default_rng(0)), float) for edit in WASHES)
    original = np.asarray(image, float)
    assert mild.shape == original.shape
    assert 0 < np.abs(mild - original).mean() < np.abs(hard - original).mean()
