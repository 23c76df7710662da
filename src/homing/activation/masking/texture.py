"""Where changes hide from the eye: in texture, not in flat places and not beside edges.

The published map (:mod:`homing.activation.masking.perceptual`) lets flat and dark places change by
five to twenty levels, where it shows most. Here a place may change as much as it is *busy*: by the
least standard deviation among four windows that have it in a corner. On the flat side of an edge
one of the windows is flat, so that text, line art and outlines before a sky count as flat too.

Where it is calm far and wide, as in a sky, luminance may change less than half as much as colour:
the eye sees fine changes of colour far less. And where that is dark, all changes less: a tint of
few levels is seen there.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.activation.masking.perceptual import Masking, luminance

_SEEN = 600_000  # pixels of a picture that are seen at once; finer texture hides nothing coarse
_FLAT = 8.0  # levels of standard deviation, below which all is flat
_PATCHES = 12  # a side, whose means tell what is around a place
_MUTED = 0.6  # of what luminance may change, where it is flat far and wide
_DIMMED = 0.5  # of what black may change, where it is flat far and wide
_DARK = 80.0  # levels of luminance, below which it is dark
_STEEP = 6  # power that parts skies from what is only calm
_SHARE = 0.5  # of the standard deviation that may be changed
_MOST = 20.0  # levels
_SIDE = 5  # of a window
_USED = 0.28  # of what may change: 1.4 levels where all is flat, 45 dB
_BAND_PIXELS = 1 << 18  # a band's arrays stay in the processor's cache


def texture_tolerance(pixels: NDArray[np.integer], *, peak: int) -> NDArray[np.float16]:
    """Map of the change that stays unseen, at every pixel.

    Parameters
    ----------
    pixels : array, shape (H, W, C), C 1 or 3, uint8 or uint16
        The picture; RGB if C is 3.
    peak : int
        The value of white: 255 or 65535.

    Returns
    -------
    array, shape (H, W), float16, in [2/255, 20/255]
        In units of the full range. A large picture is judged at the size at which it is seen, and
        the result interpolated.
    """
    height, width = pixels.shape[:2]
    factor = max(1, round(math.sqrt(height * width / _SEEN)))
    levels = _reduced(pixels, peak, factor)
    tolerance = np.hypot(_busyness(levels), np.float32(_FLAT)) * np.float32(_SHARE / 255)
    tolerance *= 1 - np.float32(_DIMMED) * _darkness(levels) * _calm(tolerance)
    np.minimum(tolerance, np.float32(_MOST / 255), out=tolerance)
    return tolerance.astype(np.float16) if factor == 1 else _enlarged(tolerance, height, width)


def luminance_share(tolerance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of a map (S, S) of :func:`texture_tolerance` that luminance may use, (S, S), in [0, 1].

    By the busyness of the place or of its surroundings, whichever is more: two fifths where all is
    flat, 95 % where flat places may change by half as much again.
    """
    share: NDArray[np.float32] = 1 - np.float32(_MUTED) * _calm(tolerance)
    return share


def _calm(tolerance: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much a place and its surroundings are flat: 1 where all is, falling steeply."""
    flat = np.float32(_FLAT * _SHARE / 255)
    most = np.maximum(tolerance, _mean_around(tolerance))
    calm: NDArray[np.float32] = np.power(flat / np.maximum(most, flat), np.float32(_STEEP))
    return calm


def _darkness(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 in black, 0 where there is light enough."""
    darkness: NDArray[np.float32] = np.maximum(0, 1 - levels / np.float32(_DARK))
    return darkness


def _mean_around(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean about every place, over an eighth of each side or so."""
    image = Image.fromarray(values)
    patches = image.resize((_PATCHES, _PATCHES), Image.Resampling.BOX)
    return np.asarray(patches.resize(image.size, Image.Resampling.BILINEAR))


def _reduced(pixels: NDArray[np.integer], peak: int, factor: int) -> NDArray[np.float32]:
    """Mean luminance of blocks, in 8-bit levels; a last block that is not whole is left out."""
    height, width = pixels.shape[:2]
    down = min(factor, height)
    across = min(factor, width)
    rows, columns = height // down, width // across
    found = np.empty((rows, columns), np.float32)
    band = max(1, _BAND_PIXELS // (width * down))
    for top in range(0, rows, band):
        bottom = min(top + band, rows)
        levels = luminance(pixels[top * down : bottom * down, : columns * across], peak)
        blocks = levels.reshape(bottom - top, down, columns, across)
        found[top:bottom] = blocks.mean(axis=(1, 3))
    return found


def _busyness(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Least standard deviation among the windows that have a place in a corner, in levels."""
    reach = _SIDE - 1
    padded = np.pad(levels, reach, mode="edge")
    mean = _sums(padded) / np.float32(_SIDE**2)
    variance = _sums(padded * padded) / np.float32(_SIDE**2) - mean * mean
    np.maximum(variance, 0, out=variance)
    # A window's place is its upper left pixel.
    upper = np.minimum(variance[:-reach, :-reach], variance[:-reach, reach:])
    lower = np.minimum(variance[reach:, :-reach], variance[reach:, reach:])
    least: NDArray[np.float32] = np.sqrt(np.minimum(upper, lower))
    return least


def _sums(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums over windows of five by five."""
    for axis in (0, 1):
        v = values if axis == 0 else values.T
        two = v[:-1] + v[1:]
        five = two[:-3] + two[2:-1] + v[4:]
        values = five if axis == 0 else five.T
    return values


def _enlarged(tolerance: NDArray[np.float32], height: int, width: int) -> NDArray[np.float16]:
    image = Image.fromarray(tolerance)
    large = np.empty((height, width), np.float16)
    band = max(1, _BAND_PIXELS // width)
    for top in range(0, height, band):
        bottom = min(top + band, height)
        box = (0, top * image.height / height, image.width, bottom * image.height / height)
        part = image.resize((width, bottom - top), Image.Resampling.BILINEAR, box)
        large[top:bottom] = np.asarray(part)
    return large


GUARDED = Masking(
    texture_tolerance,
    channels=(1.2, 0.8, 1.6),
    grey=1.0,
    used=_USED,
    luminance=luminance_share,
)
"""Changes hide in texture and in colour; blue, to which the eye is blunt, takes most."""
