"""Prepared pictures: grids, visibility, aspects, draws, and the batch for the loop."""

import numpy as np
import pytest
import torch
from PIL import Image

from homing.activation import find_method
from homing.activation.prepared import _reduce, assemble, max_rms, prepare
from homing.images import read_picture
from homing.options import DEFAULT_LIMITS

PAPER = find_method("paper")


def test_what_is_half_transparent_counts_by_what_is_seen_of_it(as_file, scene) -> None:
    pixels = np.concatenate([scene(64, 64), np.full((64, 64, 1), 255, np.uint8)], axis=2)
    thin = pixels.copy()
    thin[..., 3] = 51
    whole, seen = (
        prepare(source, read_picture(source), 16, limits=DEFAULT_LIMITS, hold=False)
        for source in map(as_file, (pixels, thin))
    )
    np.testing.assert_allclose(seen.grids.tolerance, whole.grids.tolerance / 5, rtol=2e-3)
    assert seen.visibility.roughness == pytest.approx(5 * whole.visibility.roughness, rel=2e-3)
    assert max_rms(seen, 42) == max_rms(whole, 42)
    assert seen.visibility.hidden_rms == pytest.approx(whole.visibility.hidden_rms)


def test_the_noise_is_that_of_seed_and_file(as_file, scene) -> None:
    def noise(source: bytes, seed: int) -> torch.Tensor:
        prepared = prepare(source, read_picture(source), 16, limits=DEFAULT_LIMITS, hold=False)
        device = torch.device("cpu")
        settings = PAPER.settings
        return assemble(
            [prepared], settings=settings, largest=[0.008], seed=seed, device=device
        ).offsets

    one, other = as_file(scene(20, 20)), as_file(scene(20, 20, seed=1))
    assert torch.equal(noise(one, 0), noise(one, 0))
    for different in (noise(one, 1), noise(other, 0)):
        assert (noise(one, 0) != different).float().mean() > 0.99


def test_the_batch_for_the_loop(astronaut, as_file) -> None:
    source = as_file(astronaut)
    picture = read_picture(source)
    prepared = prepare(source, picture, 64, limits=DEFAULT_LIMITS, hold=True)
    batch = assemble(
        [prepared],
        settings=PAPER.settings,
        largest=[max_rms(prepared, 42)],
        seed=3,
        device=torch.device("cpu"),
    )
    assert batch.pictures.shape == batch.allowed.shape == batch.offsets.shape == (1, 3, 64, 64)
    squashed = Image.fromarray(astronaut).resize((64, 64), Image.Resampling.BILINEAR)
    expected = np.asarray(squashed).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(batch.pictures[0], expected, atol=1e-6)
    green = batch.allowed[0, 1] * 0.587
    for channel, weight in ((0, 0.299), (2, 0.114)):
        torch.testing.assert_close(batch.allowed[0, channel] * weight, green)
    assert green.min() >= 0.072 * 5 / 255 * 0.999
    assert not batch.grey.any()
    # The squashed map is smoother than the full one, so the full change is stronger by that much.
    assert prepared.visibility.roughness > 1
    assert float(batch.max_rms[0]) == pytest.approx(
        10 ** (-42 / 20) / prepared.visibility.roughness, rel=1e-6
    )
    assert 0.5e-6 < batch.offsets.std() < 2e-6
    assert len(batch.offsets.unique()) > 0.99 * batch.offsets.numel()
    assert abs(batch.offsets.mean()) < 1e-7


def test_aspects_are_those_of_the_upright_picture(turned, scene) -> None:
    pixels = scene(60, 90)
    for orientation in range(1, 9):
        source = turned(pixels, orientation)  # shows 90 by 60, however it is stored
        prepared = prepare(source, read_picture(source), 16, limits=DEFAULT_LIMITS, hold=False)
        assert prepared.aspect == 1.5


def test_reducing_keeps_the_mean_and_the_place() -> None:
    tolerance = np.zeros((64, 128), np.float16)
    tolerance[:32, 64:] = 0.25
    reduced = _reduce(tolerance, 16)
    assert reduced.shape == (16, 16)
    assert reduced.dtype == np.float32
    np.testing.assert_allclose(reduced.mean(), 0.0625, rtol=1e-3)
    np.testing.assert_allclose(reduced[:7, 9:], 0.25, rtol=1e-6)
    assert not reduced[9:].any()
    assert not reduced[:, :7].any()
