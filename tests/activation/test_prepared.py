"""Prepared pictures: grids, visibility, aspects, draws, and the batch for the loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from homing.activation import find_method
from homing.activation.masking.perceptual import PUBLISHED
from homing.activation.masking.texture import UNSEEN
from homing.activation.prepared import _reduce, assemble, full_size, max_rms, prepare
from homing.images import read_picture
from homing.images.flat import flat_places
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
    assert seen.visibility.changeable == whole.visibility.changeable == 1


def test_the_noise_is_that_of_seed_and_file(as_file, scene) -> None:
    def noise(source: bytes, seed: int) -> torch.Tensor:
        prepared = prepare(source, read_picture(source), 16, limits=DEFAULT_LIMITS, hold=False)
        device = torch.device("cpu")
        settings = PAPER.settings
        return assemble(
            [prepared], settings=settings, psnr=42, masking=PUBLISHED, seed=seed, device=device
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
        psnr=42,
        masking=replace(PUBLISHED, unseen_gain=0.25),
        seed=3,
        device=torch.device("cpu"),
    )
    assert batch.pictures.shape == batch.allowed.shape == batch.offsets.shape == (1, 3, 64, 64)
    squashed = Image.fromarray(astronaut).resize((64, 64), Image.Resampling.BILINEAR)
    expected = np.asarray(squashed).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(batch.pictures[0], expected, atol=1e-6)
    green = batch.allowed[0, 1] * 0.587
    assert batch.max_gain.tolist() == [0.25]
    for channel, weight in ((0, 0.299), (2, 0.114)):
        torch.testing.assert_close(batch.allowed[0, channel] * weight, green)
    # The map's least is five levels, and nothing where the picture is flat.
    rough = _reduce((~flat_places(picture.pixels, blocks=False)).astype(np.float16), 64)
    assert (green.numpy() >= 0.072 * 5 / 255 * 0.999 * rough).all()
    assert not batch.alike.any()
    # The squashed map is smoother than the full one, so the full change is stronger by that much.
    assert prepared.visibility.roughness > 1
    assert float(batch.max_rms[0]) == pytest.approx(
        10 ** (-42 / 20) / prepared.visibility.roughness, rel=1e-6
    )
    assert 0.5e-6 < batch.offsets.std() < 2e-6
    assert len(batch.offsets.unique()) > 0.99 * batch.offsets.numel()
    assert abs(batch.offsets.mean()) < 1e-7


@pytest.mark.parametrize("channels", [1, 3])
def test_unseen_changes_are_of_luminance_alone(as_file, scene, channels: int) -> None:
    source = as_file(scene(64, 64, channels))
    picture = read_picture(source)
    assert picture.pixels.shape[2] == channels
    prepared = prepare(source, picture, 16, limits=DEFAULT_LIMITS, hold=False, masking=UNSEEN)
    batch = assemble(
        [prepared] * 2,
        settings=PAPER.settings,
        psnr=42,
        masking=UNSEEN,
        seed=0,
        device=torch.device("cpu"),
    )
    assert prepared.alike
    assert batch.alike.all()
    assert batch.allowed.shape == batch.offsets.shape == (2, 1, 16, 16)  # one for all channels
    assert batch.max_gain.tolist() == pytest.approx([UNSEEN.unseen_gain] * 2)
    published = prepare(source, picture, 16, limits=DEFAULT_LIMITS, hold=False)
    assert published.alike is (channels == 1)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_is_flat_or_transparent_may_not_change(as_file, scene, kind: str) -> None:
    pixels = scene(64, 64)
    pixels[:29, :27] = 120
    source = as_file(pixels, kind, **({"quality": 100, "subsampling": 0} if kind == "JPEG" else {}))
    picture = read_picture(source)
    flat = np.zeros((64, 64), bool)
    if kind == "PNG":  # the flat pixels but those beside others
        flat[:28, :26] = True
    else:  # whole blocks of eight
        flat[:24, :24] = True
    tolerance = full_size(picture, UNSEEN).tolerance
    np.testing.assert_array_equal(tolerance == 0, flat)
    prepared = prepare(source, picture, 16, limits=DEFAULT_LIMITS, hold=False, masking=UNSEEN)
    assert prepared.visibility.changeable == pytest.approx(1 - flat.mean())
    assert not prepared.grids.tolerance[:5, :5].any()
    assert prepared.grids.tolerance[8:, 8:].all()


def test_flat_and_transparent_places_are_counted_together(as_file, scene) -> None:
    pixels = np.concatenate([scene(40, 40), np.full((40, 40, 1), 255, np.uint8)], axis=2)
    pixels[:, :10, 3] = 0
    pixels[:11, :, :3] = 90
    source = as_file(pixels)
    prepared = prepare(source, read_picture(source), 16, limits=DEFAULT_LIMITS, hold=False)
    assert prepared.visibility.changeable == pytest.approx(30 / 40 * 30 / 40)
    assert prepared.visibility.share == pytest.approx(30 / 40)


def test_a_picture_of_one_colour_has_nothing_to_change(as_file) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        source = as_file(np.full((30, 20, 3), (200, 90, 40), np.uint8), kind, **options)
        prepared = prepare(source, read_picture(source), 16, limits=DEFAULT_LIMITS, hold=True)
        assert prepared.visibility.changeable == 0
        assert prepared.visibility.roughness == 1
        assert not prepared.grids.tolerance.any()
        assert not prepared.full.tolerance.any()


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
