"""Joint objectives, in which one change serves several codebooks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from homing.activation import METHODS, Activated, Activator
from homing.activation.objectives.margins import MarginSettings, margin_objective
from homing.activation.objectives.objective import (
    SafeObjective,
    Targets,
    joint_objective,
    reconstruction_objective,
)
from homing.activation.simulated_edits.edits import NO_EDITS
from homing.codebooks import Codebook, train_codebook
from homing.descriptors import Descriptor
from homing.errors import CodebookError, UsageError

CPU = torch.device("cpu")
NOTHING = torch.zeros(1)
STAYING = replace(METHODS["robust-fast"], lookahead=NO_EDITS)  # in the picture's own cell
FACTORIES = {"new": "IVF12,PQ4x8", "partner": "PCA8,LSH"}


@pytest.fixture(scope="module")
def further(tiny: Descriptor) -> dict[str, Codebook]:
    """Codebooks of the tiny descriptor, trained on other pictures than the first codebook."""
    coarse = np.random.default_rng(12).integers(0, 256, (1200, 4, 4, 3), dtype=np.uint8)
    vectors = tiny.describe_squashed(coarse.repeat(4, 1).repeat(4, 2))
    return {
        name: train_codebook(vectors, factory, descriptor=tiny.fingerprint)
        for name, factory in FACTORIES.items()
    }


def margins(codebook: Codebook, own: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the distance of each vector from the border of its picture's cell or code, (n,)."""
    inner, before = (codebook.inner(vectors).astype(np.float64) for vectors in (seen, own))
    if codebook.cell_count == 1:  # bits: half of a typical projection is enough
        typical = np.sqrt((before**2).mean(axis=1, keepdims=True))
        return np.minimum(inner * np.sign(before) / typical, 0.5).mean(axis=1)
    coarse, found = codebook.arrays["coarse"].astype(np.float64), []
    for vector, cell in zip(inner, codebook.cells(own), strict=True):
        across = coarse[cell] - np.delete(coarse, cell, axis=0)
        middles = (coarse[cell] + np.delete(coarse, cell, axis=0)) / 2
        distances = ((vector - middles) * across).sum(axis=1) / np.linalg.norm(across, axis=1)
        found.append(distances.min())
    return np.array(found)


@pytest.fixture(scope="module")
def pictures(as_file: Callable[..., bytes], scene: Callable[..., np.ndarray]) -> list[bytes]:
    return [as_file(scene(40, 50, seed=n)) for n in range(12)]


def released(descriptor: Descriptor, pictures: list[bytes], *codebooks: Codebook) -> np.ndarray:
    """Vectors of the pictures activated for some codebooks."""
    activator = Activator(descriptor, codebooks[0], STAYING, also=codebooks[1:])
    results = list(activator.run(pictures))
    assert all(isinstance(each, Activated) and each.psnr >= 42 for each in results)
    return np.stack([each.vector for each in results])


@pytest.mark.parametrize("name", sorted(FACTORIES))
def test_both_gain_and_each_loses_little(
    tiny: Descriptor,
    tiny_codebook: Codebook,
    further: dict[str, Codebook],
    pictures: list[bytes],
    name: str,
) -> None:
    one, other = tiny_codebook, further[name]
    own = tiny.describe(pictures)
    both = released(tiny, pictures, one, other)
    of_one, of_other = released(tiny, pictures, one), released(tiny, pictures, other)
    for codebook, its, strangers in ((one, of_one, of_other), (other, of_other, of_one)):
        passive = margins(codebook, own, own).mean()
        gain = margins(codebook, own, its).mean() - passive
        foreign = margins(codebook, own, strangers).mean() - passive
        shared = margins(codebook, own, both).mean() - passive
        assert gain > 0
        assert shared > 0.4 * gain
        assert shared > foreign


def test_losses_are_averaged(tiny_codebook: Codebook, further: dict[str, Codebook]) -> None:
    generator = np.random.default_rng(0)
    own = generator.normal(size=(3, tiny_codebook.dimension)).astype(np.float32)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    features = torch.from_numpy(np.concatenate([own + 0.1, own - 0.1]))
    parts = [
        margin_objective(Targets.in_own_cells(each, own), MarginSettings(), CPU)
        for each in (tiny_codebook, *further.values())
    ]
    expected = sum(part(features, NOTHING) for part in parts) / 3
    torch.testing.assert_close(joint_objective(parts)(features, NOTHING), expected)


def test_safe_is_safe_for_all(tiny_codebook: Codebook, further: dict[str, Codebook]) -> None:
    generator = np.random.default_rng(1)
    own = generator.normal(size=(200, tiny_codebook.dimension)).astype(np.float32)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    features, settings = torch.from_numpy(own), MarginSettings(safe_margin=0.02)
    parts = [
        margin_objective(Targets.in_own_cells(each, own), settings, CPU)
        for each in (tiny_codebook, further["new"])
    ]
    together = joint_objective(parts)
    assert isinstance(together, SafeObjective)
    found = together.safe(features)
    one, other = (part.safe(features) for part in parts)
    assert torch.equal(found, one & other)
    assert 0 < found.sum() < min(one.sum(), other.sum())


def test_one_without_safe_leaves_all_without(tiny_codebook: Codebook) -> None:
    own = np.eye(tiny_codebook.dimension, dtype=np.float32)[:2]
    safe = margin_objective(Targets.in_own_cells(tiny_codebook, own), MarginSettings(), CPU)
    blind = reconstruction_objective(torch.from_numpy(own), distortion_weight=0.0)
    assert not isinstance(joint_objective([safe, blind]), SafeObjective)


def test_one_alone_is_itself(tiny_codebook: Codebook) -> None:
    own = np.eye(tiny_codebook.dimension, dtype=np.float32)[:2]
    alone = margin_objective(Targets.in_own_cells(tiny_codebook, own), MarginSettings(), CPU)
    assert joint_objective([alone]) is alone


def test_codebooks_of_other_descriptors_are_named(
    tiny: Descriptor, minute: Descriptor, tiny_codebook: Codebook, further: dict[str, Codebook]
) -> None:
    stranger = replace(further["new"], descriptor=minute.fingerprint)
    with pytest.raises(CodebookError) as refused:
        Activator(tiny, tiny_codebook, METHODS["robust"], also=(further["partner"], stranger))
    for part in (stranger.fingerprint[:12], "IVF12,PQ4x8", minute.fingerprint, tiny.fingerprint):
        assert part in str(refused.value)
    shorter = train_codebook(np.eye(8, dtype=np.float32).repeat(8, 0), "IVF2,Flat")
    with pytest.raises(CodebookError, match=r"IVF2,Flat.*8 dimensions.*16"):
        Activator(tiny, tiny_codebook, METHODS["robust"], also=(shorter,))


def test_a_codebook_given_twice_is_refused(tiny: Descriptor, tiny_codebook: Codebook) -> None:
    with pytest.raises(UsageError, match="twice"):
        Activator(tiny, tiny_codebook, METHODS["robust"], also=(tiny_codebook,))
