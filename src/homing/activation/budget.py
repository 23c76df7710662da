"""The budget: a change is scaled until the file, as decoded, has at least the requested PSNR."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from homing.images.samples import Samples

LARGEST_SCALE = 2.0
"""Largest factor of a change: one that fills its budget may lose pixels at black or white."""

_AIM = 0.03  # dB above the least PSNR that is aimed at, so that the first hit stays above it
_CLOSE = 0.1  # dB above the least PSNR that is near enough
_ATTEMPTS = 6
_TYPICAL_NOISE = 49.0  # dB; JPEG at quality 95, the median of photographs
_MOST_NOISE = 0.5  # share of the budget that coding alone may take before a better coding is tried
_FAR = 0.5  # share of the budget below which what is foreseen need not be exact
_FORESEEN_AIM = 0.05  # dB, the same where an attempt costs more than the rest is worth
_FORESEEN_CLOSE = 0.15
_STEPS = 12  # to a scale whose error is foreseen as the allowed one, at most
_STEPS_CLOSE = 0.003  # relative error at which they end
_NARROW = 0.02  # relative width of a range of scales that is not searched further
_STEP = 0.005  # relative distance that an attempt keeps from the scales tried before
_BAND_PIXELS = 1 << 18  # a band's arrays stay in the processor's cache
_BLOCK = 8  # rows that a lossy coding codes together
_SAMPLE_BLOCKS = 10  # rows of blocks, spread over the picture, at least
_SAMPLE_SHARE = 16  # one row of blocks in this number, if that is more
_SAMPLE_ATTEMPTS = 3
_SAMPLE_CLOSE = 0.005  # share of the allowed error; 0.02 dB

NO_PIXELS: NDArray[np.integer] = np.empty((0, 0, 0), np.uint8)
"""Stand for those of an attempt that was left for another."""

_Preview = Callable[[NDArray[np.integer]], NDArray[np.integer]]


@dataclass(frozen=True)
class Coder:
    """A way to write pixels."""

    name: str
    lossy: bool  # whether the file's pixels differ from those given
    #: Maps pixels to the file's bytes and the pixels that a reader of the file sees.
    code: Callable[[NDArray[np.integer]], tuple[bytes, NDArray[np.integer]]]
    #: Maps whole rows of blocks to the pixels that a reader would see, for the first guess; None
    #: where coding costs what rounding costs.
    preview: _Preview | None = None


@dataclass(frozen=True)
class ScaledCoder:
    """A way to write a picture with a change at any scale, where the error can be foreseen."""

    name: str
    largest: float  # scale
    code: Callable[[float], bytes]  # maps a scale to the file's bytes
    decode: Callable[[bytes], NDArray[np.integer]]  # to the pixels that a reader of them sees
    #: Maps a scale to the mean squared error expected, relative to the full range squared.
    error: Callable[[float], float]
    #: Maps a scale to what came about, in a part of the picture, over what was expected of it; None
    #: where an attempt costs no more.
    trial: Callable[[float], float] | None = None


@dataclass(frozen=True)
class Coded:
    """A picture coded within its budget."""

    data: bytes
    pixels: NDArray[np.integer]  # (H, W, C), as decoded from the file
    psnr: float  # dB, against the original; inf if nothing changed
    scale: float  # factor of the change, at least 0
    coding: str  # name of the coder


@dataclass(frozen=True)
class _Change:
    original: NDArray[np.integer]
    change: NDArray[np.floating]
    samples: Samples
    power: float  # mean square of the change
    most: float  # largest scale

    def at(self, scale: float) -> NDArray[np.integer]:
        return _apply(self.original, self.change, scale, self.samples)

    def part(self, rows: NDArray[np.intp]) -> "_Change":
        return replace(self, original=self.original[rows], change=self.change[rows])

    def scale_at(self, square: float) -> float:
        return min(math.sqrt(square), self.most)


def fit_to_budget(
    original: NDArray[np.integer],
    change: NDArray[np.floating],
    *,
    samples: Samples,
    least_psnr: float,
    coders: Sequence[Coder],
    largest: float = LARGEST_SCALE,
) -> Coded | None:
    """Code the picture with as much of the change as its budget allows.

    `original` is (H, W, C), uint8 or uint16; `change`, of the same shape or of one channel that all
    share, is in units of the range as displayed, and so is the PSNR measured. Coders are tried in
    order, the smallest file first: one that takes more than half of the budget for itself gives way
    to the next. The change is scaled by at most `largest`. None if no attempt reaches `least_psnr`;
    then :func:`code_without_change` may.
    """
    whole = _Change(original, change, samples, _mean_square(change), largest)
    fitted = None
    for coder in coders:
        found, noise = _fit(whole, least_psnr, coder)
        fitted = found if found is not None else fitted
        if found is not None and noise <= _MOST_NOISE * _error_at(least_psnr):
            return found
    return fitted


def fit_scale(
    original: NDArray[np.integer],
    coder: ScaledCoder,
    *,
    samples: Samples,
    least_psnr: float,
) -> Coded | None:
    """Code the picture at the largest scale whose error the budget allows.

    As :func:`fit_to_budget`. Each attempt corrects what is foreseen by what came about. None if no
    attempt reaches `least_psnr`.
    """
    most = _error_at(least_psnr)
    allowed = most * _error_at(_FORESEEN_AIM)
    best: Coded | None = None
    decoded: NDArray[np.integer] | None = None
    compared = samples.compared_with(original)
    low, high, correction = 0.0, coder.largest, 1.0
    if coder.trial is not None and coder.error(coder.largest) > _FAR * most:
        correction = coder.trial(_foreseen_scale(coder, allowed, low, high))
    for _ in range(_ATTEMPTS):
        scale = _foreseen_scale(coder, allowed / correction, low, high)
        # Of large pictures the pixels of one attempt at a time are held.
        decoded, best = None, best and replace(best, pixels=NO_PIXELS)
        data = coder.code(scale)
        decoded = coder.decode(data)
        reached = compared(decoded)
        error = _error_at(reached)
        fits = reached >= least_psnr
        if fits and (best is None or scale > best.scale):
            best = Coded(data, decoded, reached, scale, coder.name)
        low, high = (scale, high) if fits else (low, scale)
        near = error >= most * _error_at(_FORESEEN_CLOSE) or scale == coder.largest
        if (fits and near) or high - low <= _NARROW * high:
            break
        foreseen = coder.error(scale)
        correction = error / foreseen if error > 0 and foreseen > 0 else 1.0
    if best is None or best.pixels is not NO_PIXELS:
        return best
    del decoded
    return replace(best, pixels=coder.decode(best.data))


def _foreseen_scale(coder: ScaledCoder, allowed: float, low: float, high: float) -> float:
    """Return the scale, strictly between others, whose foreseen error is the allowed one.

    The largest of all may be returned as well. The error grows nearly with the square of the scale,
    so that a few steps do.
    """
    scale = high if high == coder.largest else (low + high) / 2
    bottom, top = low, high
    for _ in range(_STEPS):
        error = coder.error(scale)
        if abs(error - allowed) <= _STEPS_CLOSE * allowed or (
            scale == coder.largest and error <= allowed
        ):
            break
        bottom, top = (scale, top) if error <= allowed else (bottom, scale)
        guess = scale * math.sqrt(allowed / error) if error > 0 else top
        scale = guess if bottom < guess < top else (bottom + top) / 2
    if scale == coder.largest == high:
        return scale
    # What is foreseen may be past what was tried already.
    return min(max(scale, low * (1 + _STEP)), high * (1 - _STEP))


def code_without_change(
    original: NDArray[np.integer], samples: Samples, least_psnr: float, coders: Sequence[Coder]
) -> Coded | None:
    """Code the picture as it is; None if coding alone costs more than the budget.

    Of a few pixels even a change by one level may cost more.
    """
    compared = samples.compared_with(original)
    for coder in coders:
        data, decoded = coder.code(original)
        reached = compared(decoded)
        if reached >= least_psnr:
            return Coded(data, decoded, reached, 0.0, coder.name)
    return None


def _fit(change: _Change, least_psnr: float, coder: Coder) -> tuple[Coded | None, float]:
    """Return the best file of one coder, and the mean squared error of coding itself.

    The first guess at that error is rounding's, or a sample's; each attempt then measures it.
    """
    power, compared = change.power, change.samples.compared_with(change.original)
    allowed = _error_at(least_psnr + _AIM)
    noise = _error_at(_TYPICAL_NOISE) if coder.lossy else 1 / (12 * change.samples.white**2)
    square = max(allowed - noise, 0.0) / power if power > 0 else 0.0
    if coder.preview is not None and power > 0:
        square = _sample_square(change, allowed, square, coder.preview)
    best: Coded | None = None
    tried: list[tuple[float, float]] = []
    for _ in range(_ATTEMPTS):
        scale = change.scale_at(square)
        data, decoded = coder.code(change.at(scale))
        reached = compared(decoded)
        tried.append((scale**2, _error_at(reached)))
        noise = tried[-1][1] - scale**2 * power
        if reached >= least_psnr and (best is None or scale > best.scale):
            best = Coded(data, decoded, reached, scale, coder.name)
        close = reached <= least_psnr + _CLOSE or power == 0 or scale == change.most
        if (least_psnr <= reached and close) or (scale == 0.0 and noise >= allowed):
            break
        square = _next_square(tried, allowed, power)
    return best, noise


def _sample_square(change: _Change, allowed: float, square: float, preview: _Preview) -> float:
    """Improve a guessed squared scale by coding a sample of the picture.

    Whole rows of blocks are coded as they will be in the file, so that the noise of coding is
    theirs, at a small part of the cost of an attempt.
    """
    blocks = change.original.shape[0] // _BLOCK
    wanted = max(_SAMPLE_BLOCKS, blocks // _SAMPLE_SHARE)
    if 2 * wanted > blocks:
        return square
    first = (np.arange(wanted) * blocks + blocks // 2) // wanted * _BLOCK
    rows = (first[:, None] + np.arange(_BLOCK)).ravel()
    part = change.part(rows)
    compared = change.samples.compared_with(part.original)
    # What the sample loses beyond its own change, the whole picture loses beyond its change.
    surplus = change.power - _mean_square(part.change)
    tried: list[tuple[float, float]] = []
    for _ in range(_SAMPLE_ATTEMPTS):
        scale = change.scale_at(square)
        reached = compared(preview(part.at(scale)))
        tried.append((scale**2, max(_error_at(reached) + scale**2 * surplus, 0.0)))
        near = abs(tried[-1][1] / allowed - 1) < _SAMPLE_CLOSE
        if near or scale in (0.0, change.most):
            break
        square = _next_square(tried, allowed, change.power)
    return square


def _next_square(tried: Sequence[tuple[float, float]], allowed: float, power: float) -> float:
    """Return the next squared scale to try, after pairs of squared scale and error.

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
    return square * allowed / error if error > 0 else LARGEST_SCALE**2


def _error_at(decibels: float) -> float:
    """Return the mean squared error, relative to the full range squared, of a PSNR."""
    return float(10 ** (-decibels / 10))


def _mean_square(change: NDArray[np.floating]) -> float:
    total = 0.0
    for part in _bands(change):
        # No BLAS here: its threads, called from several of ours, wait for each other.
        total += float(np.square(change[part], dtype=np.float32).sum(dtype=np.float64))
    return total / change.size


def _apply(
    original: NDArray[np.integer], change: NDArray[np.floating], scale: float, samples: Samples
) -> NDArray[np.integer]:
    changed = np.empty_like(original)
    for part in _bands(change):
        levels = samples.steps(original[part], change[part], scale)
        np.rint(levels, out=levels)  # before it is added: channels that change alike stay alike
        levels = levels + original[part]  # of one channel, if all of the picture change alike
        np.clip(levels, 0, samples.largest, out=levels)
        changed[part] = levels.astype(original.dtype)
    return changed


def _bands(array: NDArray[np.floating]) -> list[slice]:
    step = max(1, _BAND_PIXELS // array.shape[1])
    return [slice(top, top + step) for top in range(0, array.shape[0], step)]
