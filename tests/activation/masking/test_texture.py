"""Texture masking, against a direct implementation and by its purpose."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from homing.activation.masking import texture
from homing.activation.masking.perceptual import just_noticeable_difference
from homing.activation.masking.texture import UNSEEN, texture_tolerance

FLAT, SHARE, MOST = 8.0, 0.5, 20.0
PATCHES = 12
HALF = 1e-3  # relative error of rounding to half precision, with a margin


def hidden(pixels: np.ndarray, peak: int) -> np.ndarray:
    """Levels that texture hides, wherever a place lies."""
    levels = pixels.astype(np.float64) * 255 / peak
    weights = [0.299, 0.587, 0.114] if pixels.shape[2] == 3 else [1.0]
    levels = levels @ np.array(weights)
    height, width = levels.shape
    padded = np.pad(levels, 4, mode="edge")
    found = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            corners = [
                padded[y + down : y + down + 5, x + across : x + across + 5].std()
                for down in (0, 4)
                for across in (0, 4)
            ]
            found[y, x] = min(corners)
    return np.hypot(found, FLAT)


def allowed(levels: np.ndarray) -> np.ndarray:
    return np.minimum(SHARE * levels, MOST) / 255


def obvious(pixels: np.ndarray, peak: int) -> np.ndarray:
    levels = hidden(pixels, peak)
    calm = (FLAT / np.maximum(levels, around(levels))) ** 6
    return allowed(levels * (1 - 0.5 * calm))


def around(values: np.ndarray) -> np.ndarray:
    """Means of twelve by twelve patches, interpolated between their centres."""
    for axis in (0, 1):
        values = np.apply_along_axis(along, axis, values)
    return values


def along(row: np.ndarray) -> np.ndarray:
    size = len(row)
    means = row.repeat(PATCHES).reshape(PATCHES, size).mean(axis=1)  # a patch is `size` twelfths
    return np.interp(np.arange(size) + 0.5, (np.arange(PATCHES) + 0.5) * size / PATCHES, means)


def drawn(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    peak = np.iinfo(dtype).max
    pixels = np.random.default_rng(3).integers(0, peak + 1, shape).astype(dtype)
    pixels[: shape[0] // 2] //= 16
    return pixels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("shape", [(24, 36), (12, 12), (36, 24)])  # patches of whole pixels
def test_it_agrees_with_a_direct_implementation(
    channels: int, dtype: str, shape: tuple[int, int]
) -> None:
    pixels, peak = drawn((*shape, channels), dtype), np.iinfo(dtype).max
    found = texture_tolerance(pixels, peak=peak)
    assert found.shape == shape
    assert found.dtype == np.float16
    # Differences of squares in single precision: a hundredth of a level where all is flat.
    np.testing.assert_allclose(found, obvious(pixels, peak), rtol=HALF, atol=0.02 / 255)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(23, 31), (1, 1), (1, 40), (40, 1), (2, 3)])
def test_of_any_shape_texture_hides_all_or_half_of_it(
    channels: int, shape: tuple[int, int]
) -> None:
    pixels = drawn((*shape, channels), "u1")
    found, most = texture_tolerance(pixels, peak=255), allowed(hidden(pixels, 255))
    assert found.shape == shape
    assert (found <= most * (1 + HALF) + 0.02 / 255).all()
    assert (found >= most / 2 * (1 - HALF) - 0.02 / 255).all()


def flat(level: int) -> np.ndarray:
    return np.full((40, 40, 3), level, np.uint8)


@pytest.mark.parametrize("level", [0, 40, 127, 255])
def test_what_is_flat_far_and_wide_changes_least(level: int) -> None:
    found = texture_tolerance(flat(level), peak=255)
    np.testing.assert_allclose(found, 0.5 * SHARE * FLAT / 255, rtol=HALF, atol=1e-4)


def test_the_dark_is_where_the_published_map_changes_most() -> None:
    found = texture_tolerance(flat(0), peak=255)
    assert just_noticeable_difference(flat(0), peak=255).min() > 6 * found.max()


def test_a_dark_place_amid_texture_may_change_as_much_as_a_light_one() -> None:
    grain = np.random.default_rng(0).normal(0, 40, (160, 160, 1))
    pixels = np.clip(128 + grain, 0, 255).astype(np.uint8)
    pixels[76:84, 76:84] = 0
    found = texture_tolerance(pixels, peak=255).astype(np.float64) * 255
    assert found[80, 80] > 0.95 * SHARE * FLAT


def test_texture_hides_changes_in_the_dark_as_well() -> None:
    grain = np.random.default_rng(0).normal(0, 25, (40, 40, 1))
    dark, light = (np.clip(level + np.abs(grain), 0, 255).astype(np.uint8) for level in (0, 160))
    found = [np.median(texture_tolerance(pixels, peak=255)) for pixels in (dark, light)]
    assert found[0] == pytest.approx(found[1], rel=0.02)


def test_the_flat_side_of_an_edge_counts_as_flat_and_texture_does_not() -> None:
    pixels = flat(220)
    grain = np.random.default_rng(0).normal(0, 25, (40, 20, 1))
    pixels[:, 20:] = np.clip(128 + grain, 0, 255)
    found = texture_tolerance(pixels, peak=255).astype(np.float64) * 255
    assert found[:, :20].max() < 1.01 * SHARE * FLAT  # up to the very edge
    assert np.median(found[:, 24:]) > 2 * SHARE * FLAT
    published = just_noticeable_difference(pixels, peak=255).astype(np.float64) * 255
    assert published[:, 19].mean() > 2 * published[:, :15].mean()  # as published, edges may ring


def test_text_is_flat() -> None:
    page = Image.new("L", (120, 60), 255)
    ImageDraw.Draw(page).text((10, 20), "homing, flat", fill=0)
    found = texture_tolerance(np.asarray(page)[..., None], peak=255).astype(np.float64) * 255
    assert np.mean(found < 1.05 * SHARE * FLAT) > 0.8


def test_a_large_picture_is_masked_at_its_viewing_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = np.random.default_rng(1)
    small = generator.integers(0, 256, (50, 60, 3), dtype=np.uint8)
    small[:, :30] = 90
    large = small.repeat(3, 0).repeat(3, 1)
    expected = texture_tolerance(small, peak=255).astype(np.float64)
    monkeypatch.setattr(texture, "_VIEWED", 3000)
    monkeypatch.setattr(texture, "_BAND_PIXELS", 1000)
    found = texture_tolerance(large, peak=255)
    assert found.shape == (150, 180)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found[1::3, 1::3], expected, rtol=2e-3)


@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (2, 1501), (100, 31)])
def test_long_pictures(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texture, "_VIEWED", 300)
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = texture_tolerance(pixels, peak=255)
    assert found.shape == shape
    assert np.isfinite(found).all()
    assert found.min() > 0


def test_sixteen_bits_are_eight_with_more_behind_the_point(scene) -> None:
    pixels = scene(40, 50)
    eight = texture_tolerance(pixels, peak=255)
    sixteen = texture_tolerance(pixels.astype(np.uint16) * 257, peak=65535)
    np.testing.assert_allclose(sixteen.astype(float), eight.astype(float), rtol=2e-3)


def test_a_flat_place_amid_texture_is_no_sky() -> None:
    busy = np.hypot(np.full((60, 60), 20.0), FLAT)
    busy[40:43, 40:43] = busy[:, :25] = FLAT
    calm = texture._calm((SHARE / 255 * busy).astype(np.float32))
    assert calm[41, 41] < 1 / 6
    np.testing.assert_allclose(calm[:, :23], 1, rtol=1e-5)
    assert calm.max() <= 1
    assert calm.min() > 0


def test_calm_agrees_with_a_direct_implementation() -> None:
    tolerance = np.random.default_rng(2).uniform(0, 0.08, (36, 36)).astype(np.float32)
    most = np.maximum(tolerance, around(tolerance))
    expected = np.minimum(1, SHARE * FLAT / 255 / most) ** 6
    np.testing.assert_allclose(texture._calm(tolerance), expected, rtol=1e-4)
    np.testing.assert_allclose(texture._calm(np.zeros((8, 8), np.float32)), 1, rtol=1e-6)


def test_only_luminance_changes_unseen() -> None:
    assert UNSEEN.luminance_alone
    assert UNSEEN.tolerance is texture_tolerance
    for alike in (False, True):
        assert UNSEEN.weights(alike=alike).tolist() == [1, 1, 1]
    # What is unseen of a flat place is less than a level.
    assert 0 < UNSEEN.unseen_gain * SHARE * FLAT < 1
