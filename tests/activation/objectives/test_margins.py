"""Margin objectives, against slow versions written from the definitions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from homing.activation.objectives.margins import MarginSettings, margin_objective
from homing.activation.objectives.objective import Targets
from homing.codebooks import AnyCodebook, Codebook, codebook_from_faiss, train_codebook
from homing.codebooks.partition import Linear, Partition
from tests.helpers.faiss_indexes import IP, L2, trained_index
from tests.helpers.vectors import unit_vectors

DIMENSION, COUNT, COPIES = 16, 3, 2
CPU = torch.device("cpu")
ALONE = MarginSettings(margin=0.1, identity=0.0, code=0.0)


def unit(count: int, seed: int) -> np.ndarray:
    return unit_vectors(count, seed, DIMENSION)


@pytest.fixture(scope="module", params=["IVF32,Flat", "IVF32,PQ4x8", "OPQ4,IVF32,PQ4x8"])
def celled(request: pytest.FixtureRequest) -> Codebook:
    return train_codebook(unit(1500, 0), request.param)


def edited_vectors(own: np.ndarray, spread: float = 0.3, seed: int = 5) -> np.ndarray:
    """Return descriptors (copies, pictures, D) of edited pictures."""
    moved = own + np.random.default_rng(seed).normal(size=(COPIES, *own.shape)) * spread / 4
    return (moved / np.linalg.norm(moved, axis=2, keepdims=True)).astype(np.float32)


def losses(
    codebook: Codebook, own: np.ndarray, seen: np.ndarray, settings: MarginSettings = ALONE
) -> np.ndarray:
    objective = margin_objective(Targets.in_own_cells(codebook, own), settings, CPU)
    features = torch.from_numpy(seen.reshape(-1, DIMENSION))
    return objective(features, torch.zeros(len(own), 3, 4, 4)).numpy()


def softplus(value: np.ndarray, softness: float) -> np.ndarray:
    return softness * np.log1p(np.exp(value / softness))


def walls(codebook: Codebook, cell: int, vector: np.ndarray) -> np.ndarray:
    """Distances to the planes halfway between a cell's centroid and every other's."""
    inner = vector.astype(np.float64)
    if "rotation" in codebook.arrays:
        inner = codebook.arrays["rotation"].astype(np.float64) @ inner
    coarse = codebook.arrays["coarse"].astype(np.float64)
    found = []
    for other, centroid in enumerate(coarse):
        if other != cell:
            line = coarse[cell] - centroid
            middle = (coarse[cell] + centroid) / 2
            found.append((inner - middle) @ line / np.linalg.norm(line))
    return np.array(found)


def test_margins_are_distances_to_the_cells_walls(celled: Codebook) -> None:
    own = unit(COUNT, 1)
    seen = edited_vectors(own)
    cells = codebook_cells = celled.cells(own)
    expected = np.zeros((COPIES, COUNT))
    for copy in range(COPIES):
        for picture in range(COUNT):
            distances = np.sort(walls(celled, codebook_cells[picture], seen[copy, picture]))[:16]
            inside = celled.cells(seen[copy, picture][None])[0] == cells[picture]
            assert (distances.min() >= 0) == inside
            margin = -0.02 * np.log(np.exp(-distances / 0.02).sum())
            expected[copy, picture] = softplus(0.1 - margin, 0.05)
    np.testing.assert_allclose(losses(celled, own, seen), expected.mean(axis=0), rtol=2e-4)


def followed_home(codebook: AnyCodebook, own: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the descriptors of copies after sixty steps along the objective's gradient."""
    objective = margin_objective(Targets.in_own_cells(codebook, own), MarginSettings(), CPU)
    features = torch.from_numpy(seen).clone().requires_grad_()
    optimiser = torch.optim.SGD([features], lr=0.3)
    for _ in range(60):
        optimiser.zero_grad()
        objective(torch.nn.functional.normalize(features, dim=1), torch.zeros(1)).sum().backward()
        optimiser.step()
    return torch.nn.functional.normalize(features, dim=1).detach().numpy()


def test_following_it_home(celled: Codebook) -> None:
    """A descriptor outside its cell comes back, and ends deeper than the cell's wall."""
    own = unit(40, 2)
    cells = celled.cells(own)
    seen = edited_vectors(own, spread=1.0)[0]
    assert (celled.cells(seen) != cells).mean() > 0.3
    found = followed_home(celled, own, seen)
    assert (celled.cells(found) == cells).all()
    depth = [walls(celled, c, v).min() for c, v in zip(cells, found, strict=True)]
    before = [walls(celled, c, v).min() for c, v in zip(cells, own, strict=True)]
    assert np.median(depth) > max(0.05, np.median(before))


@pytest.mark.parametrize(
    ("form", "metric"),
    [
        ("IVF32,SQ4", IP),
        ("IVF32_HNSW8,SQ4", L2),
        ("PCAW8,IVF32,SQ4", L2),
        ("PCA8,IVF32,SQ4", IP),
        ("RR16,L2norm,PCA12,IVF32,SQ4", L2),
    ],
)
def test_following_it_home_in_cells_of_others(form: str, metric: int) -> None:
    codebook = codebook_from_faiss(trained_index(form, metric, unit(1500, 0)))
    own = unit(40, 2)
    cells = codebook.cells(own)
    seen = edited_vectors(own, spread=1.0)[0]
    assert (codebook.cells(seen) != cells).mean() > 0.2
    found = followed_home(codebook, own, seen)
    assert (codebook.cells(found) == cells).mean() >= 0.97  # a graph does not see all walls


def test_distances_are_those_of_descriptors_whatever_the_steps() -> None:
    """A space ten times as wide, and one behind a rotation, have the same margins."""
    plain = codebook_from_faiss(trained_index("IVF32,SQ4", L2, unit(1500, 0)))
    partition = plain.partition
    wide = Linear(10 * np.eye(DIMENSION, dtype=np.float32))
    turned = np.linalg.qr(np.random.default_rng(0).standard_normal((DIMENSION, DIMENSION)))[0]
    rotation = Linear(turned.astype(np.float32))
    own, expected = unit(COUNT, 1), None
    seen = edited_vectors(own)
    for step in (None, wide, rotation):
        other = _Elsewhere(partition, step)
        found = losses(other, own, seen)
        expected = found if expected is None else expected
        np.testing.assert_allclose(found, expected, rtol=1e-4)


class _Elsewhere:
    """The cells of a partition, behind a step."""

    aims_at_code = False

    def __init__(self, partition: Partition, step: Linear | None) -> None:
        self.partition = partition
        self._own = partition
        if step is not None:
            centroids = step.apply(partition.centroids)
            self.partition = Partition((step,), centroids, partition.metric)
        self.cell_count = len(partition.centroids)

    def cells(self, vectors: np.ndarray) -> np.ndarray:
        difference = vectors[:, None] - self._own.centroids
        return np.square(difference).sum(axis=2).argmin(axis=1)


def test_identity_and_code_weigh_what_they_should(celled: Codebook) -> None:
    own = unit(COUNT, 3)
    seen = edited_vectors(own)
    bare = losses(celled, own, seen)
    own_distance = 1 - (seen * own).sum(axis=2).mean(axis=0)
    found = losses(celled, own, seen, replace(ALONE, identity=0.7))
    np.testing.assert_allclose(found - bare, 0.7 * own_distance, atol=1e-5)
    targets = celled.target(own)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    code_distance = 1 - (seen * targets).sum(axis=2).mean(axis=0)
    weighed = 0.4 * code_distance if celled.factory.fine == "PQ" else 0.0
    found = losses(celled, own, seen, replace(ALONE, code=0.4))
    np.testing.assert_allclose(found - bare, weighed, atol=1e-5)


@pytest.mark.parametrize("factory", ["PQ4", "OPQ4,PQ4"])
def test_a_bare_product_quantizer_pulls_to_the_reconstruction(factory: str) -> None:
    codebook = train_codebook(unit(1500, 0), factory)
    own = unit(COUNT, 1)
    seen = edited_vectors(own)
    targets = codebook.target(own)
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    expected = 1 - (seen * targets).sum(axis=2).mean(axis=0)
    np.testing.assert_allclose(losses(codebook, own, seen), expected, atol=1e-5)


@pytest.mark.parametrize("factory", ["LSH", "PCA8,LSH"])
def test_bits_stay_away_from_zero(factory: str) -> None:
    codebook = train_codebook(unit(1500, 0), factory)
    own = unit(COUNT, 1)
    seen = edited_vectors(own)

    def inward(vectors: np.ndarray) -> np.ndarray:
        if factory == "LSH":
            return vectors.astype(np.float64)
        arrays = codebook.arrays
        return vectors @ arrays["rotation"].T.astype(np.float64) + arrays["rotation_bias"]

    projected = inward(own)
    typical = np.sqrt((projected**2).mean(axis=1, keepdims=True))
    shares = inward(seen) * np.sign(projected) / typical
    # Half of a typical projection is safe, whatever distance that is to others.
    lacking = softplus(0.1 - shares * 0.1 / 0.5, 0.05).mean(axis=(0, 2))
    weight = np.sqrt(projected.shape[1]) * 0.5 * typical[:, 0] / 0.1
    np.testing.assert_allclose(losses(codebook, own, seen), weight * lacking, rtol=1e-4)


@pytest.mark.parametrize("factory", ["IVF32,Flat", "LSH", "PCA8,LSH"])
def test_what_lacks_all_pulls_alike_for_every_codebook(factory: str) -> None:
    codebook = train_codebook(unit(1500, 0), factory)
    own = unit(20, 1)
    objective = margin_objective(
        Targets.in_own_cells(codebook, own), replace(ALONE, margin=9.0), CPU
    )
    features = torch.from_numpy(own).requires_grad_()
    objective(features, torch.zeros(1)).sum().backward()
    lengths = features.grad.norm(dim=1)
    assert lengths.max() < 1.001
    assert lengths.median() > 0.6  # between several walls less than at one


@pytest.mark.parametrize(
    "factory", ["IVF32,PQ4x8", "OPQ4,IVF32,PQ4x8", "PCA8,LSH", "PQ4", "IVF1,Flat"]
)
def test_gradient_is_that_of_finite_differences(factory: str) -> None:
    codebook = train_codebook(unit(1500, 0), factory)
    own = unit(2, 1)
    objective = margin_objective(Targets.in_own_cells(codebook, own), MarginSettings(), CPU)
    features = (
        torch.from_numpy(edited_vectors(own).reshape(-1, DIMENSION)).double().requires_grad_()
    )
    function = lambda f: objective(f, torch.zeros(1))  # noqa: E731
    assert torch.autograd.gradcheck(function, features, eps=1e-6, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("factory", ["IVF32,PQ4x8", "OPQ4,IVF32,PQ4x8", "PCA8,LSH", "PQ4"])
def test_pictures_do_not_meet(factory: str) -> None:
    codebook = train_codebook(unit(1500, 0), factory)
    own = unit(COUNT, 1)
    seen = edited_vectors(own)
    whole = losses(codebook, own, seen, MarginSettings())
    turned = losses(codebook, own[::-1].copy(), seen[:, ::-1].copy(), MarginSettings())
    assert np.array_equal(turned[::-1], whole)


def test_safe_needs_every_edited_copy(celled: Codebook) -> None:
    own = unit(60, 4)
    seen = edited_vectors(own, spread=0.1)
    objective = margin_objective(
        Targets.in_own_cells(celled, own), MarginSettings(safe_margin=0.03), CPU
    )
    found = objective.safe(torch.from_numpy(seen.reshape(-1, DIMENSION)))
    expected = []
    for picture, cell in enumerate(celled.cells(own)):
        least = [np.sort(walls(celled, cell, copy[picture]))[:16] for copy in seen]
        margins = [-0.02 * np.log(np.exp(-distances / 0.02).sum()) for distances in least]
        expected.append(min(margins) >= 0.03)
    assert found.tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_reconstructions_are_never_safe() -> None:
    codebook = train_codebook(unit(1500, 0), "PQ4")
    own = unit(COUNT, 1)
    objective = margin_objective(Targets.in_own_cells(codebook, own), MarginSettings(), CPU)
    assert not objective.safe(torch.from_numpy(own)).any()


def test_margins_are_of_the_cell_aimed_at(tiny_codebook: Codebook) -> None:
    drawn = np.random.default_rng(8).normal(size=(2, 40, 16))
    own, seen = (
        (each / np.linalg.norm(each, axis=1, keepdims=True)).astype(np.float32) for each in drawn
    )
    cells = tiny_codebook.cells(own)
    settings = MarginSettings(margin=0.1, identity=0.0, code=0.0)
    coarse = tiny_codebook.arrays["coarse"].astype(np.float64)

    def losses(aimed: np.ndarray) -> np.ndarray:
        objective = margin_objective(Targets(tiny_codebook, own, aimed), settings, CPU)
        return objective(torch.from_numpy(seen), torch.zeros(1)).numpy()

    np.testing.assert_array_equal(Targets.in_own_cells(tiny_codebook, own).cells, cells)
    there = (cells + 3) % 8
    expected = []
    for cell, vector in zip(there, seen, strict=True):
        others = np.delete(np.arange(8), cell)
        lines = coarse[cell] - coarse[others]
        middles = (coarse[cell] + coarse[others]) / 2
        walls = ((vector - middles) * lines).sum(axis=1) / np.linalg.norm(lines, axis=1)
        margin = -0.02 * np.log(np.exp(-walls / 0.02).sum())
        expected.append(0.05 * np.log1p(np.exp((0.1 - margin) / 0.05)))
    np.testing.assert_allclose(losses(there), expected, rtol=1e-3)


def test_a_code_is_wished_for_in_the_cell_aimed_at(tiny_codebook: Codebook) -> None:
    own = unit(30, 9)
    there = (tiny_codebook.cells(own) + 1) % 8
    code = tiny_codebook.decode(there, tiny_codebook.encode(own, there))

    def loss(weight: float) -> np.ndarray:
        settings = MarginSettings(identity=0.0, code=weight)
        objective = margin_objective(Targets(tiny_codebook, own, there), settings, CPU)
        return objective(torch.from_numpy(own), torch.zeros(1)).numpy()

    distance = 1 - (own * (code / np.linalg.norm(code, axis=1, keepdims=True))).sum(axis=1)
    np.testing.assert_allclose(loss(0.5) - loss(0.0), 0.5 * distance, atol=1e-5)
