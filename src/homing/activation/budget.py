"""Keeping the budget: the change is scaled until the file, as decoded, has the PSNR asked for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.images import psnr

_AIM = 0.03  # dB above the budget that is aimed at, so that the first hit stays above it
_CLOSE = 0.1  # dB above the budget that is near enough
_ATTEMPTS = 6
_TYPICAL_NOISE = 49.0  # dB; JPEG at quality 95, the median of photographs
_MOST_NOISE = 0.5  # share of the budget that coding alone may take before a better coding is tried
_LARGEST_SCALE = 2.0  # a change found for one strength is not blown up beyond this
_WHOLE = 0.99  # share of the budget that is all of it: what clamping takes is made up for
_BAND_PIXELS = 1 << 18  # a band's arrays stay in the processor's cache
_BLOCK = 8  # rows that a lossy coding works on together
_SAMPLE_BLOCKS = 10  # rows of blocks, spread over the picture, at least
_SAMPLE_SHARE = 16  # one row of blocks of so many, if that is more
_SAMPLE_ATTEMPTS = 3
_SAMPLE_CLOSE = 0.005  # share of the error allowed; 0.02 dB


@dataclass(frozen=True)
class Coder:
    """A way to write pixels.

    Attributes
    ----------
    name : str
        For people.
    lossy : bool
        Whether the file's pixels differ from those given.
    code : callable
        From pixels to the file's bytes and the pixels that a reader of the file will see.
    preview : callable or None
        From pixels of any size to those that a reader would see. Asked of a sample, in whole rows
        of blocks, for the first guess; None where coding costs what rounding costs.
    """

    name: str
    lossy: bool
    code: Callable[[NDArray[np.integer]], tuple[bytes, NDArray[np.integer]]]
    preview: Callable[[NDArray[np.integer]], NDArray[np.integer]] | None = None


@dataclass(frozen=True)
class Coded:
    """A picture coded within its budget.

    Attributes
    ----------
    data : bytes
        The file.
    pixels : array (H, W, C)
        What a reader decodes from it.
    psnr : float
        Peak signal-to-noise ratio against the original, dB; ``inf`` if nothing changed.
    scale : float
        How much of the change went in, at least 0.
    coding : str
        Name of the coding used.
    """

    data: bytes
    pixels: NDArray[np.integer]
    psnr: float
    scale: float
    coding: str


def fit_to_budget(
    original: NDArray[np.integer],
    change: NDArray[np.floating],
    *,
    peak: int,
    budget: float,
    coders: Sequence[Coder],
    share: float = 1.0,
) -> Coded | None:
    """Code the picture with as much of the change as its budget allows.

    Parameters
    ----------
    original : array (H, W, C), uint8 or uint16
        Pixels of the source.
    change : array (H, W, C), floating
        What activation wants to add, in units of the full range.
    peak : int
        White: 255 or 65535.
    budget : float
        Least PSNR of the decoded file, dB.
    coders : sequence of Coder
        Codings to try, the smallest file first. One that leaves activation less than half of the
        budget, because coding itself costs as much, gives way to the next.
    share : float
        How much of the budget's root mean square the change itself may take, 0 to 1.

    Returns
    -------
    Coded or None
        None if no coding keeps the budget, even without any change.
    """
    power = _mean_square(change)
    most = _LARGEST_SCALE
    if share < _WHOLE and power > 0:
        most = min(most, share * math.sqrt(_error_at(budget) / power))
    fitted = None
    for coder in coders:
        found, noise = _fit(original, change, power, peak, budget, most, coder)
        fitted = found if found is not None else fitted
        if found is not None and noise <= _MOST_NOISE * _error_at(budget):
            return found
    return fitted


def _fit(
    original: NDArray[np.integer],
    change: NDArray[np.floating],
    power: float,
    peak: int,
    budget: float,
    most: float,
    coder: Coder,
) -> tuple[Coded | None, float]:
    """Best file of one coding, and the mean squared error that coding itself costs.

    The first guess for that is rounding, or what a sample of the picture tells; each attempt then
    measures it.
    """
    allowed = _error_at(budget + _AIM)
    noise = _error_at(_TYPICAL_NOISE) if coder.lossy else 1 / (12 * peak**2)
    square = max(allowed - noise, 0.0) / power if power > 0 else 0.0
    if coder.preview is not None and power > 0:
        preview = coder.preview
        square = _sampled_square(original, change, power, peak, allowed, square, most, preview)
    best: Coded | None = None
    tried: list[tuple[float, float]] = []
    for _ in range(_ATTEMPTS):
        scale = min(math.sqrt(square), most)
        data, decoded = coder.code(_apply(original, change, scale, peak))
        reached = psnr(original, decoded, peak=peak)
        tried.append((scale**2, _error_at(reached)))
        noise = tried[-1][1] - scale**2 * power
        if reached >= budget and (best is None or scale > best.scale):
            best = Coded(data, decoded, reached, scale, coder.name)
        finished = budget <= reached and (reached <= budget + _CLOSE or power == 0 or scale == most)
        if finished or (scale == 0.0 and noise >= allowed):
            break
        square = _next_square(tried, allowed, power)
    return best, noise


def _sampled_square(
    original: NDArray[np.integer],
    change: NDArray[np.floating],
    power: float,
    peak: int,
    allowed: float,
    square: float,
    most: float,
    preview: Callable[[NDArray[np.integer]], NDArray[np.integer]],
) -> float:
    """Squared scale that a sample of the picture calls for, the squared scale guessed given.

    Whole rows of blocks are coded as they will be in the file, so that the noise of coding is
    theirs; a small part of the work of an attempt.
    """
    blocks = original.shape[0] // _BLOCK
    wanted = max(_SAMPLE_BLOCKS, blocks // _SAMPLE_SHARE)
    if 2 * wanted > blocks:
        return square
    first = (np.arange(wanted) * blocks + blocks // 2) // wanted * _BLOCK
    rows = (first[:, None] + np.arange(_BLOCK)).ravel()
    pixels, part = original[rows], change[rows]
    # What the sample loses beyond its own change, the whole picture loses beyond its change.
    surplus = power - _mean_square(part)
    tried: list[tuple[float, float]] = []
    for _ in range(_SAMPLE_ATTEMPTS):
        scale = min(math.sqrt(square), most)
        reached = psnr(pixels, preview(_apply(pixels, part, scale, peak)), peak=peak)
        tried.append((scale**2, max(_error_at(reached) + scale**2 * surplus, 0.0)))
        near = abs(tried[-1][1] / allowed - 1) < _SAMPLE_CLOSE
        if near or scale in (0.0, most):
            break
        square = _next_square(tried, allowed, power)
    return square


def _next_square(tried: Sequence[tuple[float, float]], allowed: float, power: float) -> float:
    """Squared scale to be tried after those, given with the error that each led to.

    Between one that was too little and one that was too much, by a straight line. Before there are
    both, ``error = scale² · power + noise``; but where less than ``scale² · power`` arrived,
    because pixels were clamped to black and white or rounded back, ``error ~ scale²``.
    """
    below = max((point for point in tried if point[1] <= allowed), default=None)
    above = min((point for point in tried if point[1] > allowed), default=None)
    if below and above and below[0] < above[0]:
        share = (allowed - below[1]) / (above[1] - below[1])
        return below[0] + share * (above[0] - below[0])
    square, error = tried[-1]
    noise = error - square * power
    if noise >= 0:
        return max(allowed - noise, 0.0) / power
    return square * allowed / error if error > 0 else _LARGEST_SCALE**2


def _error_at(decibels: float) -> float:
    """Mean squared error, relative to the full range squared, of that PSNR."""
    return float(10 ** (-decibels / 10))


def _mean_square(change: NDArray[np.floating]) -> float:
    total = 0.0
    for part in _bands(change):
        # No BLAS here: its threads, called from several of ours, wait for each other.
        total += float(np.square(change[part], dtype=np.float32).sum(dtype=np.float64))
    return total / change.size


def _apply(
    original: NDArray[np.integer], change: NDArray[np.floating], scale: float, peak: int
) -> NDArray[np.integer]:
    changed = np.empty_like(original)
    for part in _bands(change):
        levels = change[part].astype(np.float32)
        levels *= np.float32(scale * peak)
        levels += original[part]
        np.rint(levels, out=levels)
        np.clip(levels, 0, peak, out=levels)
        changed[part] = levels.astype(original.dtype)
    return changed


def _bands(array: NDArray[np.floating]) -> list[slice]:
    step = max(1, _BAND_PIXELS // array.shape[1])
    return [slice(top, top + step) for top in range(0, array.shape[0], step)]
