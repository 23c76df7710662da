"""SSIMULACRA2: how visible the difference of two pictures is, by a measure that sees colour.

Sneyers, "SSIMULACRA 2" (2023): structural similarity, artefacts and lost detail at six scales in
the opponent space XYB, weighted by what people said of compressed pictures. From 85 on people do
not tell the pictures apart even when they flip between them; 70 is high quality. The constants are
those of the reference (BSD-3-Clause, Cloudinary and the JPEG XL project). The borders are those of
the Python package ``ssimulacra2`` 0.3: scores are equal within a few hundredths.

Letters in the shapes: H, W of a scale, C = 3 channels X, Y, B.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.errors import UsageError
from homing.images.pixels import Pixels

_Plane = NDArray[np.float32]  # (H, W)

_SCALES = 6
_LEAST_SIDE = 8  # of a scale
_C2 = np.float32(0.0009)
_SIGMA, _RADIUS = 1.5, 5
_BLACK = (-0.42, -0.01, -0.55)  # of the channels X, Y and B as they are blurred

_ABSORBANCE = np.array(
    [
        [0.30, 0.622, 0.078],
        [0.23, 0.692, 0.078],
        [0.24342268924547819, 0.20476744424496821, 0.55180986650955360],
    ],
    np.float32,
)
_BIAS = np.float32(0.0037930732552754493)

# Three a line: similarity, artefacts, lost detail. Two lines a scale: mean, fourth power. Six
# scales a channel. Weights below 0.01 change a score by hundredths and are left out.
_WEIGHTS = np.zeros((3, _SCALES, 2, 3))
_WEIGHTS[0, 1, 1] = 1.1041726426657346, 0, 0
_WEIGHTS[0, 2, 1] = 1.8422455520539298, 11.441172603757666, 0
_WEIGHTS[0, 3, 1] = 1.8787594979546387, 10.94906990605142, 0
_WEIGHTS[0, 4] = [[0, 0.9677938080626833, 0], [0, 0.9981766977854967, 0]]
_WEIGHTS[1, 0, 1] = 7.466890328078848, 0, 17.445833984131262
_WEIGHTS[1, 1, 1] = 6.683678146179332, 0, 1.027889937768264
_WEIGHTS[1, 2] = [[225.20515300849274, 0, 0], [19.213238186143016, 0, 0]]
_WEIGHTS[1, 3] = [[176.39317598450694, 0, 0], [24.43300999870476, 0.28520802612117757, 0]]
_WEIGHTS[1, 4, 1] = 34.77906344483772, 44.835625328877896, 0
_WEIGHTS[2, 3, 1] = 8.826982764996862, 23.19243343998926, 0
_WEIGHTS[2, 4, 0] = 95.1080498811086, 0.9863978034400682, 0.9834382792465353
_WEIGHTS[2, 4, 1] = 0, 171.2667255897307, 0.9807858872435379


def ssimulacra2(original: Pixels, other: Pixels, *, peak: int) -> float | None:
    """Return the SSIMULACRA2 of a picture against its original, at most 100.

    Pictures are (h, w, 1) or (h, w, 3), in sRGB, of white `peak`. None below 8 pixels a side.
    """
    return Reference.of(original, peak=peak).score(other)


@dataclass(frozen=True, eq=False)
class _Original:
    """One channel of the original at one scale."""

    plane: _Plane
    mean: _Plane
    variance: _Plane


@dataclass(frozen=True, eq=False)
class Reference:
    """An original, prepared to be compared with several pictures."""

    shape: tuple[int, ...]
    peak: int
    weights: NDArray[np.float64]  # (C, scales, 2, 3)
    channels: dict[tuple[int, int], _Original]  # by scale and channel; those that have a weight

    @classmethod
    def of(cls, original: Pixels, *, peak: int) -> "Reference":
        """Prepare an original, (h, w, 1) or (h, w, 3), of white `peak`."""
        if original.ndim != 3 or original.shape[2] not in (1, 3) or peak <= 0:
            raise UsageError(
                f"ssimulacra2 compares (h, w, 1) or (h, w, 3) of a positive peak, not "
                f"{original.shape} of {peak}"
            )
        scales = _scale_count(*original.shape[:2])
        # The reference counts weights by the scales there are, not by those there could be.
        weights = _WEIGHTS.reshape(-1)[: 18 * scales].reshape(3, scales, 2, 3)
        channels = {}
        for scale, channel, plane in _planes(original, peak, weights):
            black = _BLACK[channel]
            mean = _blur(plane, black)
            variance = _blur(plane * plane, black * black) - mean * mean
            channels[scale, channel] = _Original(plane, mean, variance)
        return cls(original.shape, peak, weights, channels)

    def score(self, other: Pixels) -> float | None:
        """Return the score of a picture of the original's shape; None below 8 pixels a side."""
        if other.shape != self.shape:
            raise UsageError(
                f"pictures of equal shape are compared, not {self.shape} and {other.shape}"
            )
        if not self.channels:
            return None
        total = 0.0
        for scale, channel, plane in _planes(other, self.peak, self.weights):
            errors = _errors(self.channels[scale, channel], plane, _BLACK[channel])
            total += float((self.weights[channel, scale] * errors).sum())
        return _score_of(total)


def _scale_count(height: int, width: int) -> int:
    count = 0
    while count < _SCALES and min(height, width) >= _LEAST_SIDE:
        height, width, count = -(-height // 2), -(-width // 2), count + 1
    return count


def _score_of(error: float) -> float:
    error *= 0.9562382616834844
    error = (
        2.326765642916932 * error
        - 0.020884521182843837 * error**2
        + 6.248496625763138e-05 * error**3
    )
    return 100.0 - 10.0 * float(max(error, 0.0) ** 0.6276336467831387)


def _errors(original: _Original, plane: _Plane, black: float) -> NDArray[np.float64]:
    """Return mean and fourth-power norm of three error maps, (2, 3)."""
    mean = _blur(plane, black)
    shift = original.mean - mean
    variance = _blur(plane * plane, black * black) - mean * mean
    covariance = _blur(original.plane * plane, black * black) - original.mean * mean
    similarity = 2 * covariance + _C2
    similarity /= original.variance + variance + _C2
    similarity *= 1 - shift * shift
    edges = 1 + np.abs(plane - mean)
    edges /= 1 + np.abs(original.plane - original.mean)
    edges -= 1
    maps = np.maximum(1 - similarity, 0), np.maximum(edges, 0), np.maximum(-edges, 0)
    return np.array([_norms(each) for each in maps]).T


def _norms(values: _Plane) -> tuple[float, float]:
    squares = values * values
    fourth = float(np.mean(squares * squares, dtype=np.float64))
    return float(np.mean(values, dtype=np.float64)), fourth**0.25


def _planes(
    pixels: Pixels, peak: int, weights: NDArray[np.float64]
) -> Iterator[tuple[int, int, _Plane]]:
    """Yield scale, channel and plane of all that have a weight."""
    linear = _linear(pixels, peak)
    for scale in range(weights.shape[1]):
        if scale:
            linear = [_halve(each) for each in linear]
        wanted = [c for c in range(3) if weights[c, scale].any()]
        yield from ((scale, channel, _xyb(linear, channel)) for channel in wanted)


def _linear(pixels: Pixels, peak: int) -> list[_Plane]:
    """Return red, green and blue in linear light, in [0, 1]."""
    levels = np.arange(peak + 1, dtype=np.float64) / peak
    table = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    linear = [np.take(table.astype(np.float32), each) for each in np.moveaxis(pixels, 2, 0)]
    return linear if len(linear) == 3 else linear * 3


def _xyb(linear: list[_Plane], channel: int) -> _Plane:
    """Return one opponent channel.

    The reference moves it into positive numbers, by what is black less than here. That would cost
    the variances of greys their last digits.
    """
    long, medium = _response(linear, 0), _response(linear, 1)
    if channel == 0:
        return (long - medium) * np.float32(7)
    light = (long + medium) * np.float32(0.5)
    return light if channel == 1 else _response(linear, 2) - light


def _response(linear: list[_Plane], cone: int) -> _Plane:
    mixed: _Plane = linear[0] * _ABSORBANCE[cone, 0]
    mixed += linear[1] * _ABSORBANCE[cone, 1]
    mixed += linear[2] * _ABSORBANCE[cone, 2]
    mixed += _BIAS
    np.cbrt(mixed, out=mixed)
    mixed -= np.cbrt(_BIAS)
    return mixed


def _halve(plane: _Plane) -> _Plane:
    """Return the means of squares of four, of those that there are at the ragged edges."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge")
    rows = padded[::2] + padded[1::2]
    halved: _Plane = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
    return halved


_KERNEL = np.exp(-np.square(np.arange(-_RADIUS, _RADIUS + 1)) / (2 * _SIGMA**2))
_KERNEL = (_KERNEL / _KERNEL.sum()).astype(np.float32)
_NONE = np.ones(1, np.float32)


def _blur(plane: _Plane, outside: float) -> _Plane:
    """Blur by a Gaussian: mirrored above and below, and one value at the sides.

    That value stands for black, as in the package.
    """
    import cv2

    down = cv2.sepFilter2D(plane, -1, _NONE, _KERNEL, borderType=cv2.BORDER_REFLECT)
    wide = cv2.copyMakeBorder(
        down, 0, 0, _RADIUS, _RADIUS, cv2.BORDER_CONSTANT, value=(outside, 0.0, 0.0, 0.0)
    )
    across: _Plane = cv2.sepFilter2D(wide, -1, _KERNEL, _NONE)[:, _RADIUS:-_RADIUS]
    return across
