"""Flat places: where a picture is exactly of one colour, as graphics, paper and letterboxes are.

An eye sees any change of them, and a lossless file grows by it.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from homing.images.pixels import Pixels

_BLOCK = 8  # pixels a side that a JPEG codes together
_BAND = 512  # rows of one step
_AROUND = 16  # pixels in each direction
_HALF = 128  # of 255


def flat_places(pixels: Pixels, *, blocks: bool) -> NDArray[np.bool_]:
    """Return where a picture, (h, w, c), is exactly flat: (h, w) bool.

    A pixel is flat if those above, below, left and right of it are equal to it in all channels.
    Text, lines and outlines amid such pixels count as flat too: where half of the pixels around
    are. With `blocks`, a block of a JPEG, 8 by 8 pixels, is flat as a whole if all its pixels are
    equal: a smooth sky has flat pixels everywhere, but a change of a block changes all its pixels.
    """
    return _flat_blocks(pixels) if blocks else _amid(_flat_pixels(pixels))


def _amid(flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the places around which half of the pixels are flat."""
    if not flat.any():
        return flat
    shares = Image.fromarray(flat.astype(np.uint8) * 255).filter(ImageFilter.BoxBlur(_AROUND))
    found: NDArray[np.bool_] = flat | (np.asarray(shares) >= _HALF)
    return found


def _flat_pixels(pixels: Pixels) -> NDArray[np.bool_]:
    height, width = pixels.shape[:2]
    flat = np.ones((height, width), bool)
    for top in range(0, height, _BAND):
        rows = slice(max(top - 1, 0), top + _BAND + 1)
        band, found = pixels[rows], np.ones((len(pixels[rows]), width), bool)
        down = _alike(band[1:], band[:-1])
        across = _alike(band[:, 1:], band[:, :-1])
        found[1:] &= down
        found[:-1] &= down
        found[:, 1:] &= across
        found[:, :-1] &= across
        first = top - rows.start
        flat[top : top + _BAND] = found[first : first + _BAND]
    return flat


def _alike(these: Pixels, others: Pixels) -> NDArray[np.bool_]:
    alike: NDArray[np.bool_] = these[:, :, 0] == others[:, :, 0]
    for channel in range(1, these.shape[2]):  # not `all` along three samples, which is slow
        alike &= these[:, :, channel] == others[:, :, channel]
    return alike


def _flat_blocks(pixels: Pixels) -> NDArray[np.bool_]:
    import cv2

    height, width = pixels.shape[:2]
    flat = np.zeros((height, width), bool)
    block = np.ones((_BLOCK, _BLOCK), np.uint8)
    for top in range(0, height, _BAND):
        band = pixels[top : top + _BAND]
        # Least and largest sample of the block below and right of each; what is outside is ignored.
        least = cv2.erode(band, block, anchor=(0, 0))[::_BLOCK, ::_BLOCK]
        most = cv2.dilate(band, block, anchor=(0, 0))[::_BLOCK, ::_BLOCK]
        equal = least == most
        if equal.ndim == 3:  # OpenCV drops a single channel
            equal = equal.all(axis=2)
        whole = equal.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)
        flat[top : top + _BAND] = whole[: len(band), :width]
    return flat
