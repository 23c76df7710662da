"""Distances of two pictures: PSNR and SSIM, in strips so that memory stays flat."""

import math

import numpy as np
import numpy.typing as npt

from homing.errors import UsageError
from homing.images.pixels import LUMA, Pixels

_CHUNK = 1 << 15  # samples of one step: small enough for a core's cache
_STRIP = 1 << 17  # pixels of one step of windows, which overlaps the next
_WINDOW = 7


def psnr(a: Pixels, b: Pixels, *, peak: int) -> float:
    """Return the peak signal-to-noise ratio of two pictures in dB; infinite if they are equal.

    ``10 · log10(peak² / mean((a − b)²))``, the mean over all samples, exact in float64. `peak` is
    255 for 8 bits and 65535 for 16.
    """
    _check(a, b, peak)
    row = max(1, math.prod(a.shape[1:]))
    rows = max(1, _CHUNK // row)
    total = 0.0
    for top in range(0, a.shape[0], rows):
        difference = np.subtract(a[top : top + rows], b[top : top + rows], dtype=np.float64)
        # Not np.dot: a threaded BLAS makes short sums wait for a busy core.
        np.multiply(difference, difference, out=difference)
        total += float(difference.sum())
    if total == 0:
        return math.inf
    return 10 * math.log10(float(peak) ** 2 * a.size / total)


def ssim(a: Pixels, b: Pixels, *, peak: int) -> float | None:
    """Return the mean structural similarity of two pictures' luminance, −1..1.

    Wang et al. 2004 as scikit-image computes it by default: a uniform window of 7 × 7, sample
    covariance, K1 = 0.01, K2 = 0.03, the mean over all windows inside the picture. Luminance is
    0.299 R + 0.587 G + 0.114 B. The pictures are (h, w), (h, w, 1) or (h, w, 3); None if a side is
    shorter than the window.
    """
    _check(a, b, peak)
    if a.ndim not in (2, 3) or (a.ndim == 3 and a.shape[2] not in (1, 3)):
        raise UsageError(f"ssim wants (h, w), (h, w, 1) or (h, w, 3), not {a.shape}")
    height, width = a.shape[:2]
    if min(height, width) < _WINDOW:
        return None
    rows = max(1, _STRIP // width)
    total = 0.0
    last = height - _WINDOW + 1
    for top in range(0, last, rows):
        bottom = min(top + rows, last) + _WINDOW - 1
        total += _ssim_sum(_luminance(a[top:bottom]), _luminance(b[top:bottom]), peak)
    return total / float(last * (width - _WINDOW + 1))


def _check(a: Pixels, b: Pixels, peak: int) -> None:
    if a.shape != b.shape or a.size == 0 or a.ndim == 0:
        raise UsageError(f"pictures of equal shape are compared, not {a.shape} and {b.shape}")
    if peak <= 0:
        raise UsageError(f"the peak must be positive, not {peak}")


def _luminance(pixels: Pixels) -> npt.NDArray[np.float64]:
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return pixels.reshape(pixels.shape[:2]).astype(np.float64)
    luminance = pixels[..., 0] * np.float64(LUMA[0])
    luminance += pixels[..., 1] * np.float64(LUMA[1])
    luminance += pixels[..., 2] * np.float64(LUMA[2])
    found: npt.NDArray[np.float64] = luminance
    return found


def _box(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sums over all windows of 7 x 7 inside."""
    import cv2

    inside = slice(_WINDOW // 2, -(_WINDOW // 2))
    sums: npt.NDArray[np.float64] = cv2.boxFilter(values, -1, (_WINDOW, _WINDOW), normalize=False)
    return sums[inside, inside]


def _ssim_sum(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], peak: int) -> float:
    """Return the sum of the similarity over all windows inside a strip."""
    count = _WINDOW * _WINDOW
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    mean_x = _box(x) / count
    mean_y = _box(y) / count
    product = mean_x * mean_y
    squares = mean_x * mean_x + mean_y * mean_y
    covariance = (_box(x * y) / count - product) * (count / (count - 1))
    variances = (_box(x * x + y * y) / count - squares) * (count / (count - 1))
    numerator = (2 * product + c1) * (2 * covariance + c2)
    denominator = (squares + c1) * (variances + c2)
    return float(np.sum(numerator / denominator))
