"""Where a picture's copies will be: the mean of its looks, and files brought into that cell."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from homing.activation import METHODS, Activator
from homing.activation.objectives.margins import MarginSettings, margin_objective
from homing.activation.picture_steps import FOR_AIMS, draw_looks, prepare
from homing.activation.simulated_edits.looks import (
    NO_EDITS,
    Detail,
    EditPlan,
    draw_edits,
    looks,
    stack_edits,
)
from homing.activation.target_cells import aims_of
from homing.codebooks import Codebook, train_codebook
from homing.descriptors import Descriptor
from homing.images import read_picture
from homing.options import DEFAULT_LIMITS

PLAN = EditPlan(toned=3, shaped=2)
_METHOD = METHODS["robust"]
ROBUST = replace(_METHOD, masking=replace(_METHOD.masking, used=None), least_ssim=None)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def sources(as_file, scene) -> list[bytes]:
    return [as_file(scene(60, 60 + 10 * n, seed=n)) for n in range(24)]


@pytest.fixture
def aims(tiny: Descriptor, sources: list[bytes]) -> np.ndarray:
    """What `ROBUST` aims at with the seed 0."""
    prepared = [
        prepare(source, read_picture(source), 16, limits=DEFAULT_LIMITS, keep=True, enlarged=True)
        for source in sources
    ]
    drawn = draw_looks(prepared, ROBUST.foreseen, 1, seed=0, purpose=FOR_AIMS)
    pictures, finer = (
        torch.from_numpy(np.stack([getattr(each, name) for each in prepared])).permute(0, 3, 1, 2)
        / 255
        for name in ("squashed", "finer")
    )
    detail = Detail(pictures, finer)
    return aims_of(pictures, detail, drawn, tiny.describe(sources), tiny.forward)


def test_an_aim_is_the_mean_of_a_picture_and_its_looks(tiny: Descriptor) -> None:
    generator = np.random.default_rng(3)
    squashed = generator.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    fine = torch.from_numpy(generator.random((3, 3, 32, 32), dtype=np.float32))
    own = tiny.describe_squashed(squashed)
    pictures = torch.from_numpy(squashed).permute(0, 3, 1, 2) / 255
    drawn = stack_edits(
        [draw_edits(PLAN, 1, aspect=1.5, size=16, generator=generator) for _ in range(3)]
    )
    detail = Detail(pictures, fine)
    found = aims_of(pictures, detail, drawn, own, tiny.forward)
    seen = [tiny.forward(s) for s in looks(pictures, drawn, 0, detail)]
    described = np.concatenate([own, *(each.numpy() for each in seen)]).reshape(6, 3, -1)
    np.testing.assert_allclose(found, unit(described.mean(axis=0)), atol=1e-6)
    assert found.dtype == np.float32
    blurred = aims_of(pictures, None, drawn, own, tiny.forward)
    assert not np.allclose(blurred, found, atol=1e-4)  # crops are cut from what is finer


def test_files_are_brought_into_the_cell_of_their_aims(
    tiny: Descriptor, tiny_codebook: Codebook, sources: list[bytes], aims: np.ndarray
) -> None:
    aimed, were = (tiny_codebook.cells(each) for each in (aims, tiny.describe(sources)))
    elsewhere = aimed != were
    assert 0 < elsewhere.mean() < 0.7
    results = list(Activator(tiny, tiny_codebook, ROBUST, psnr=30).run(sources))
    there = tiny_codebook.cells(tiny.describe([each.data for each in results]))
    assert [each.cell_kept for each in results] == (there == aimed).tolist()
    assert (there == aimed)[elsewhere].mean() > 0.7
    recorded = tiny_codebook.cells(np.stack([each.vector for each in results]))
    assert recorded.tolist() == there.tolist()
    staying = replace(ROBUST, foreseen=NO_EDITS)
    results = list(Activator(tiny, tiny_codebook, staying, psnr=30).run(sources))
    there = tiny_codebook.cells(tiny.describe([each.data for each in results]))
    assert [each.cell_kept for each in results] == (there == were).tolist()
    assert (there == were)[elsewhere].mean() > 0.7


@pytest.mark.parametrize(("budget", "all_met"), [(30, True), (70, False)])
def test_each_codebook_tells_whether_its_aim_was_met(
    tiny: Descriptor,
    tiny_codebook: Codebook,
    sources: list[bytes],
    aims: np.ndarray,
    budget: float,
    all_met: bool,
) -> None:
    vectors = unit(np.random.default_rng(4).normal(size=(1200, 16))).astype(np.float32)
    further = train_codebook(vectors, "IVF12,PQ4x8", descriptor=tiny.fingerprint)
    activator = Activator(tiny, tiny_codebook, ROBUST, psnr=budget, also=(further,))
    results = list(activator.run(sources))
    files = tiny.describe([each.data for each in results])
    for told, codebook in zip(
        zip(*([each.cell_kept, *each.also_kept] for each in results), strict=True),
        activator.codebooks,
        strict=True,
    ):
        assert list(told) == (codebook.cells(files) == codebook.cells(aims)).tolist()
        assert all(told) == all_met
        assert (codebook.cells(tiny.describe(sources)) != codebook.cells(aims)).any()


def test_margins_are_of_the_cell_aimed_at(tiny_codebook: Codebook) -> None:
    drawn = np.random.default_rng(8).normal(size=(2, 40, 16))
    own, seen = (unit(each).astype(np.float32) for each in drawn)
    cells = tiny_codebook.cells(own)
    settings = MarginSettings(margin=0.1, identity=0.0, code=0.0)
    coarse = tiny_codebook.arrays["coarse"].astype(np.float64)

    def losses(aimed: np.ndarray | None) -> np.ndarray:
        objective = margin_objective(
            tiny_codebook, own, settings, device=torch.device("cpu"), cells=aimed
        )
        return objective(torch.from_numpy(seen), torch.zeros(1)).numpy()

    np.testing.assert_array_equal(losses(None), losses(cells))
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
    own = unit(np.random.default_rng(9).normal(size=(30, 16))).astype(np.float32)
    there = (tiny_codebook.cells(own) + 1) % 8
    code = tiny_codebook.decode(there, tiny_codebook.encode(own, there))

    def loss(weight: float) -> np.ndarray:
        settings = MarginSettings(identity=0.0, code=weight)
        objective = margin_objective(
            tiny_codebook, own, settings, device=torch.device("cpu"), cells=there
        )
        return objective(torch.from_numpy(own), torch.zeros(1)).numpy()

    distance = 1 - (own * unit(code)).sum(axis=1)
    np.testing.assert_allclose(loss(0.5) - loss(0.0), 0.5 * distance, atol=1e-5)
