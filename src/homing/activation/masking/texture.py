"""Texture masking: changes hide in texture, not in flat places and not beside edges.

The published map (:mod:`homing.activation.masking.perceptual`) lets flat and dark places change by
five to twenty levels, where it shows most, and colours change as much as luminance. Here a place
may change as much as it is *busy*: by the least standard deviation among four windows that have it
in a corner. On the flat side of an edge one of the windows is flat, so that text, line art and
outlines before a sky count as flat too. Where it is calm far and wide, as in a sky, only half as
much may change: there a change of two levels draws faint arcs, which were seen at twice the size.

Only luminance changes. At equal visibility (SSIMULACRA2) colour adds nothing to recall, and by
measures that see colour nearly all that was seen of changes in colour and luminance was their
colour (``docs/how/activation.md``).
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.activation.masking.perceptual import Masking, luminance

_VIEWED = 600_000  # pixels of a picture that a viewer sees; finer texture hides nothing coarse
_FLAT = 8.0  # levels of standard deviation, below which all is flat
_PATCHES = 12  # a side; their means describe the surroundings of a place
_CALMED = 0.5  # share taken from the change of what is flat far and wide
_STEEP = 6  # power that separates skies from places that are only calm
_SHARE = 0.5  # of the standard deviation that may be changed
_MOST = 20.0  # levels
_SIDE = 5  # of a window
_UNSEEN = 0.2  # of the tolerance: 0.4 levels where all is flat, 56 dB
_BAND_PIXELS = 1 << 18  # a band's arrays stay in the processor's cache


def texture_tolerance(pixels: NDArray[np.integer], *, peak: int) -> NDArray[np.float16]:
    """Return the largest change that stays unseen at every pixel, (H, W) float16 in [2, 20] / 255.

    In units of the full range. `pixels` is (H, W, 1 or 3), uint8 or uint16; `peak` is white, 255 or
    65535. A large picture is reduced to the size of a view, and the result interpolated.
    """
    height, width = pixels.shape[:2]
    factor = max(1, round(math.sqrt(height * width / _VIEWED)))
    levels = _reduce(pixels, peak, factor)
    tolerance = np.hypot(_busyness(levels), np.float32(_FLAT)) * np.float32(_SHARE / 255)
    tolerance *= 1 - np.float32(_CALMED) * _calm(tolerance)
    np.minimum(tolerance, np.float32(_MOST / 255), out=tolerance)
    return tolerance.astype(np.float16) if factor == 1 else _enlarge(tolerance, height, width)


def _calm(tolerance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the flatness of places and their surroundings, from 1 steeply down to 0."""
    flat = np.float32(_FLAT * _SHARE / 255)
    most = np.maximum(tolerance, _mean_around(tolerance))
    calm: NDArray[np.float32] = np.power(flat / np.maximum(most, flat), np.float32(_STEEP))
    return calm


def _mean_around(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean around every place, over about an eighth of each side."""
    image = Image.fromarray(values)
    patches = image.resize((_PATCHES, _PATCHES), Image.Resampling.BOX)
    return np.asarray(patches.resize(image.size, Image.Resampling.BILINEAR))


def _reduce(pixels: NDArray[np.integer], peak: int, factor: int) -> NDArray[np.float32]:
    """Return the mean luminance of whole blocks, in 8-bit levels."""
    height, width = pixels.shape[:2]
    down = min(factor, height)
    across = min(factor, width)
    rows, columns = height // down, width // across
    means = np.empty((rows, columns), np.float32)
    band = max(1, _BAND_PIXELS // (width * down))
    for top in range(0, rows, band):
        bottom = min(top + band, rows)
        levels = luminance(pixels[top * down : bottom * down, : columns * across], peak)
        blocks = levels.reshape(bottom - top, down, columns, across)
        means[top:bottom] = blocks.mean(axis=(1, 3))
    return means


def _busyness(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the least standard deviation of the windows with a place in a corner, in levels."""
    reach = _SIDE - 1
    padded = np.pad(levels, reach, mode="edge")
    mean = _sums(padded) / np.float32(_SIDE**2)
    variance = _sums(padded * padded) / np.float32(_SIDE**2) - mean * mean
    np.maximum(variance, 0, out=variance)
    # A window is indexed by its upper left pixel.
    upper = np.minimum(variance[:-reach, :-reach], variance[:-reach, reach:])
    lower = np.minimum(variance[reach:, :-reach], variance[reach:, reach:])
    least: NDArray[np.float32] = np.sqrt(np.minimum(upper, lower))
    return least


def _sums(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return sums over windows of five by five."""
    for axis in (0, 1):
        v = values if axis == 0 else values.T
        two = v[:-1] + v[1:]
        five = two[:-3] + two[2:-1] + v[4:]
        values = five if axis == 0 else five.T
    return values


def _enlarge(tolerance: NDArray[np.float32], height: int, width: int) -> NDArray[np.float16]:
    image = Image.fromarray(tolerance)
    large = np.empty((height, width), np.float16)
    band = max(1, _BAND_PIXELS // width)
    for top in range(0, height, band):
        bottom = min(top + band, height)
        box = (0, top * image.height / height, image.width, bottom * image.height / height)
        part = image.resize((width, bottom - top), Image.Resampling.BILINEAR, box)
        large[top:bottom] = np.asarray(part)
    return large


UNSEEN = Masking(
    texture_tolerance,
    channels=(1.0, 1.0, 1.0),
    grey=1.0,
    luminance_alone=True,
    unseen_gain=_UNSEEN,
)
"""Luminance alone changes, in texture more than where it is flat."""
