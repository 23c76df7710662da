"""The map of just noticeable differences, against a direct implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from homing.activation.masking import perceptual
from homing.activation.masking.perceptual import (
    CHANNEL_WEIGHTS,
    GREY_WEIGHT,
    LUMINANCE_WEIGHTS,
    PUBLISHED,
    just_noticeable_difference,
)

# As printed in Wu et al. 2017 and in the published code.
KERNEL = np.array(
    [[1, 1, 1, 1, 1], [1, 2, 2, 2, 1], [1, 2, 0, 2, 1], [1, 2, 2, 2, 1], [1, 1, 1, 1, 1]]
)
SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
HALF = 6e-4  # relative error of rounding to half precision, with a margin


def obvious(pixels: np.ndarray, peak: int) -> np.ndarray:
    levels = pixels.astype(np.float64) * 255 / peak
    if pixels.shape[2] == 3:
        y = 0.299 * levels[..., 0] + 0.587 * levels[..., 1] + 0.114 * levels[..., 2]
    else:
        y = levels[..., 0]
    around = ndimage.correlate(y, KERNEL / 32, mode="nearest")
    dark = 17 * (1 - np.sqrt(np.maximum(around, 0) / 127 + 1e-3)) + 3
    luminance = np.where(around <= 127, dark, 3 / 128 * (around - 127) + 3)
    gx = ndimage.correlate(y, SOBEL, mode="nearest")
    gy = ndimage.correlate(y, SOBEL.T, mode="nearest")
    c = np.hypot(gx, gy)
    contrast = 0.117 * 16 * c**2.4 / (c**2 + 26**2)
    total = luminance + contrast - 0.3 * np.minimum(luminance, contrast)
    return np.maximum(total, 5) / 255


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("shape", [(57, 83), (1, 1), (1, 40), (40, 1), (2, 3)])
def test_it_is_the_published_map(channels: int, dtype: str, shape: tuple[int, int]) -> None:
    peak = np.iinfo(dtype).max
    generator = np.random.default_rng(3)
    pixels = generator.integers(0, peak + 1, (*shape, channels)).astype(dtype)
    pixels[: shape[0] // 2] //= 16  # dark and flat areas as well
    found = just_noticeable_difference(pixels, peak=peak)
    assert found.shape == shape
    assert found.dtype == np.float16
    np.testing.assert_allclose(found.astype(np.float64), obvious(pixels, peak), rtol=HALF)


def test_flat_black_flat_grey_and_an_edge_are_as_computed_by_hand() -> None:
    black = just_noticeable_difference(np.zeros((9, 9, 3), np.uint8), peak=255)
    np.testing.assert_allclose(black, (20 - 17 * np.sqrt(1e-3)) / 255, rtol=HALF)
    grey = just_noticeable_difference(np.full((9, 9, 1), 127, np.uint8), peak=255)
    np.testing.assert_allclose(grey, 5 / 255, rtol=HALF)  # 3 − …, lifted to the floor
    edge = np.full((9, 9, 1), 127, np.uint8)
    edge[:, 5:] = 255
    tolerance = just_noticeable_difference(edge, peak=255)
    assert tolerance[4, 4] > 3 * tolerance[4, 1]


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    band=st.integers(1, 200),
    seed=st.integers(0, 2**16),
)
def test_banding_does_not_show(
    height: int, width: int, channels: int, band: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (height, width, channels), dtype=np.uint8)
    whole = just_noticeable_difference(pixels, peak=255)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(perceptual, "_BAND_PIXELS", band)
        banded = just_noticeable_difference(pixels, peak=255)
    np.testing.assert_allclose(banded.astype(float), whole.astype(float), rtol=1e-3)


def test_sixteen_bits_are_eight_with_more_behind_the_point(scene) -> None:
    pixels = scene(40, 50)
    eight = just_noticeable_difference(pixels, peak=255)
    sixteen = just_noticeable_difference(pixels.astype(np.uint16) * 257, peak=65535)
    np.testing.assert_allclose(sixteen.astype(float), eight.astype(float), rtol=1e-3)


def test_each_channel_adds_the_same_luminance() -> None:
    np.testing.assert_allclose(CHANNEL_WEIGHTS * LUMINANCE_WEIGHTS, 0.072, rtol=1e-6)
    np.testing.assert_allclose(CHANNEL_WEIGHTS[2] / CHANNEL_WEIGHTS[1], 0.587 / 0.114, rtol=1e-6)
    np.testing.assert_allclose(GREY_WEIGHT, CHANNEL_WEIGHTS @ LUMINANCE_WEIGHTS, rtol=1e-6)


def test_the_published_rule_changes_each_channel_and_is_bound_by_its_psnr_alone() -> None:
    assert not PUBLISHED.luminance_alone
    assert PUBLISHED.unseen_gain is None
    np.testing.assert_allclose(PUBLISHED.weights(alike=False), CHANNEL_WEIGHTS, rtol=1e-6)
    np.testing.assert_allclose(PUBLISHED.weights(alike=True), GREY_WEIGHT, rtol=1e-6)
