"""PSNR and SSIM, against scikit-image."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from homing.errors import UsageError
from homing.images import psnr, ssim
from tests.helpers.picture_files import noise, scene

SIDES = st.integers(7, 90)


def pair(
    height: int, width: int, channels: int, dtype: str, spread: float
) -> tuple[np.ndarray, np.ndarray, int]:
    first = scene(height, width, channels, dtype)
    peak = int(np.iinfo(dtype).max)
    moved = first + np.random.default_rng(3).normal(0, spread * peak, first.shape)
    return first, np.clip(moved, 0, peak).astype(dtype), peak


def luminance(pixels: np.ndarray) -> np.ndarray:
    if pixels.shape[2] == 1:
        return pixels[..., 0].astype(float)
    return pixels @ np.array([0.299, 0.587, 0.114])


@given(SIDES, SIDES, st.sampled_from([1, 3]), st.sampled_from(["u1", "u2"]), st.floats(0.001, 0.6))
@settings(deadline=None)
def test_equal_scikit_image(
    height: int, width: int, channels: int, dtype: str, spread: float
) -> None:
    first, second, peak = pair(height, width, channels, dtype, spread)
    if not np.array_equal(first, second):
        wanted = peak_signal_noise_ratio(first, second, data_range=peak)
        assert psnr(first, second, peak=peak) == pytest.approx(wanted, abs=1e-9)
    wanted = structural_similarity(luminance(first), luminance(second), data_range=peak)
    assert ssim(first, second, peak=peak) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("height", "width"), [(1000, 7), (7, 6000), (401, 333), (3, 70_000)])
def test_strips_make_no_difference(height: int, width: int) -> None:
    first, second, peak = pair(height, width, 3, "u1", 0.02)
    wanted = peak_signal_noise_ratio(first, second, data_range=peak)
    assert psnr(first, second, peak=peak) == pytest.approx(wanted, abs=1e-9)
    if height < 7:
        assert ssim(first, second, peak=peak) is None
        return
    wanted = structural_similarity(luminance(first), luminance(second), data_range=peak)
    assert ssim(first, second, peak=peak) == pytest.approx(wanted, abs=1e-6)


def test_extremes() -> None:
    black, white = np.zeros((9, 9, 3), np.uint8), np.full((9, 9, 3), 255, np.uint8)
    assert psnr(black, black, peak=255) == math.inf
    assert psnr(black, white, peak=255) == 0
    assert psnr(white, black, peak=255) == 0
    assert ssim(white, white, peak=255) == pytest.approx(1)
    assert ssim(noise(6, 90), noise(6, 90), peak=255) is None
    one = white.copy()
    one[0, 0, 0] = 254
    assert psnr(white, one, peak=255) == pytest.approx(10 * math.log10(255**2 * 243))


def test_measured_alike_in_either_order_and_without_change() -> None:
    first, second, peak = pair(50, 60, 3, "u1", 0.05)
    copies = first.copy(), second.copy()
    assert psnr(first, second, peak=peak) == psnr(second, first, peak=peak)
    assert ssim(first, second, peak=peak) == ssim(second, first, peak=peak)
    assert np.array_equal(first, copies[0])
    assert np.array_equal(second, copies[1])


def test_views_are_measured_as_their_copies() -> None:
    first, second, peak = pair(80, 90, 3, "u1", 0.05)
    for cut in (np.s_[::2, ::-1], np.s_[5:60, 3:]):
        a, b = first[cut], second[cut]
        assert psnr(a, b, peak=peak) == psnr(a.copy(), b.copy(), peak=peak)
        assert ssim(a, b, peak=peak) == ssim(a.copy(), b.copy(), peak=peak)


def test_unlike_pictures_are_wrong_use() -> None:
    picture = noise(9, 9)
    for other, peak in ((noise(9, 8), 255), (noise(9, 9, 1), 255), (picture, 0)):
        for measure in (psnr, ssim):
            with pytest.raises(UsageError):
                measure(picture, other, peak=peak)
    with pytest.raises(UsageError):
        ssim(noise(9, 9, 4), noise(9, 9, 4), peak=255)
    with pytest.raises(UsageError):
        psnr(picture[:0], picture[:0], peak=255)
