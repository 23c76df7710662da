"""Borders of pictures: bars of letterboxes, bands of memes, parts of a screen.

On a page the picture is found first (:mod:`homing.search.frames.panels`). Then two kinds of bands
are found:

- **solid** bands, of one colour but for text and signs upon it, on any side;
- **blurred** bands, as video platforms put them beside a picture that is too narrow: smooth, on
  two opposite sides, of equal widths.

Either ends in a straight step across the picture. So does a cloudless sky at the horizon: the inner
picture is therefore only searched *besides* the whole one, never instead of it.
"""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.search.frames.panels import Box, find_panel, scaled_down, within

_SIDE = 512  # pixels of the longer side at which frames are detected
_ROUNDS = 16  # bands within bands: a screen has a bar above a bar above the picture
_LEAST_BAND = 0.015  # of the side; thinner ones change no descriptor
_MOST_BAND = 0.65  # of the side; a picture on a plain ground is no band of its frame
_LEAST_PICTURE = 0.15  # of each side of the whole; something smaller is not the picture

_TOLERANCE = 14  # levels from the band's colour: the ringing of JPEG beside a sharp edge
_DRIFT = 3  # levels that the colour of a band without text may change by: skies change more
_PLAIN = 0.97  # share of a row in the band's colour where nothing stands upon it
_WRITTEN = 0.2  # the same, at least, in a row of large text
_MARGIN = 0.85  # the same, at least, in the last row before the picture
_FILLED = 0.55  # the same, on average over a band
_PLAIN_STEP, _WRITTEN_STEP = 0.2, 0.6  # share of a row that leaves the colour where a band ends

_JUMP = 8  # levels between two rows: more than any blurred band has
_STILL = 0.03  # share of a row that jumps in a blurred band, at most
_BLURRED_STEP = 0.35  # the same where it ends, at least
_SUDDEN = 3.0  # change where it ends, over that of the rows before: slopes grow by less
_ASYMMETRY = 0.02  # of the side, between the widths of two blurred bands

Pixels = NDArray[np.uint8]


def without_frame(image: Image.Image) -> Image.Image | None:
    """Return an 8-bit RGB picture without its frame; None if it has none."""
    box = inner_box(image)
    return None if box is None else image.crop(box)


def inner_box(image: Image.Image) -> Box | None:
    """Find the picture on a page or within its frame, in an 8-bit RGB picture of any size."""
    small = scaled_down(image, _SIDE)
    panel = find_panel(small)
    if panel is None:
        frame = find_frame(small)
        return None if frame is None else _enlarged(frame, small, image)
    found = left, top, _, _ = _enlarged(panel, small, image)
    page = image.crop(found)
    small = scaled_down(page, _SIDE)
    frame = find_frame(small)
    if frame is None:
        return found
    inner = _enlarged(frame, small, page)
    return left + inner[0], top + inner[1], left + inner[2], top + inner[3]


def _enlarged(box: Box, small: Pixels, image: Image.Image) -> Box:
    """Convert a box in the small picture to the pixels of the full one."""
    across, down = image.width / small.shape[1], image.height / small.shape[0]
    left, top, right, bottom = box
    return round(left * across), round(top * down), round(right * across), round(bottom * down)


def find_frame(pixels: Pixels) -> Box | None:
    """Find the picture within its frame; None if it has none.

    `pixels` is (h, w, 3) RGB, best of some hundred pixels a side.
    """
    height, width = pixels.shape[:2]
    whole = box = (0, 0, width, height)
    for _ in range(_ROUNDS):
        inner = _within(pixels, box, _LEAST_BAND if box == whole else 0.0)
        if inner == box:
            break
        across, down = inner[2] - inner[0], inner[3] - inner[1]
        if across < _LEAST_PICTURE * width or down < _LEAST_PICTURE * height:
            break
        box = inner
    return None if box == whole else box


def _within(pixels: Pixels, box: Box, least: float) -> Box:
    """Return a box without its outermost bands of at least a share `least` of its side."""
    import cv2

    left, top, right, bottom = box
    # Each side turned to the top: the top, right, bottom and left one.
    inner = pixels[top:bottom, left:right]
    turns = (cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE)
    sides = [inner, *(cv2.rotate(inner, turn) for turn in turns)]
    cuts = [0, 0, 0, 0]
    for first in (0, 1):
        cuts[first], cuts[first + 2] = _blurred_bands(sides[first], sides[first + 2], least)
    if not any(cuts):
        bands = [_solid_band(rows, least) for rows in sides]
        best = max(range(4), key=lambda side: bands[side][1])
        cuts[best] = bands[best][0]
    return left + cuts[3], top + cuts[0], right - cuts[1], bottom - cuts[2]


def _solid_band(rows: Pixels, least: float) -> tuple[int, float]:
    """Return the height of a band of one colour at the top, perhaps with text, and its fullness.

    A band without text counts as fuller than any with text; 0 rows where there is no band.
    """
    import cv2

    height = len(rows)
    if height < 4:
        return 0, 0.0
    colour = np.median(rows[:2].reshape(-1, 3), axis=0).astype(np.int16)
    thinnest = max(2, math.ceil(least * height))
    if (_has_colour(rows[:thinnest], colour).mean(axis=1) < _WRITTEN).any():
        return 0, 0.0  # most photographs end here, before all rows are examined
    alike = _has_colour(rows, colour)
    share = alike.mean(axis=1)
    reach = min(_prefix(share >= _WRITTEN), height - 1, int(_MOST_BAND * height))
    if reach < thinnest:
        return 0, 0.0
    ends = np.arange(1, reach)
    filled = np.cumsum(share)[: reach - 1] / ends
    good = (share[: reach - 1] >= _MARGIN) & (filled >= _FILLED) & (ends >= thinnest)
    if not good.any():
        return 0, 0.0
    # Two rows apart: scaling and coding blur the step. From row to row, lest a slope be one.
    jumps = ~within(cv2.absdiff(rows[2 : reach + 1], rows[: reach - 1]), 0, _TOLERANCE)
    leaves = (alike[: reach - 1] & jumps).mean(axis=1)
    good &= leaves >= _PLAIN_STEP
    if not good.any():
        return 0, 0.0
    plain = np.minimum.accumulate(share)[: reach - 1] >= _PLAIN
    drift = np.abs(np.median(rows[:reach, ::4], axis=1) - colour)
    plain &= ends <= _prefix((drift <= _DRIFT).all(axis=1))
    good &= leaves >= np.where(plain, _PLAIN_STEP, _WRITTEN_STEP)
    if not good.any():
        return 0, 0.0
    best = np.where(good, leaves, 0).max()
    end = int(ends[np.flatnonzero(good & (leaves >= best - 0.05))[-1]])
    # `end` − 1 is the last row known to be of the band; the next may be one as well.
    return end + int(share[end] >= _MARGIN), float(filled[end - 1] + plain[end - 1])


def _has_colour(rows: Pixels, colour: NDArray[np.int16]) -> NDArray[np.bool_]:
    return within(rows, colour - _TOLERANCE, colour + _TOLERANCE)


def _blurred_bands(here: Pixels, there: Pixels, least: float) -> tuple[int, int]:
    """Return the heights of blurred bands of equal width at two opposite sides; else 0 and 0."""
    widths = _blurred_band(here, least), _blurred_band(there, least)
    if not all(widths) or abs(widths[0] - widths[1]) > max(2, _ASYMMETRY * len(here)):
        return 0, 0
    return widths


def _blurred_band(rows: Pixels, least: float) -> int:
    """Count the rows at the top before the first jump, if it goes across the picture; else 0."""
    thinnest = max(2.0, least * len(rows))
    first = _changes(rows[: math.ceil(thinnest)])
    if ((first > _JUMP).mean(axis=1) > _STILL).any():
        return 0  # most photographs end here, before all rows are examined
    changes = _changes(rows)
    jumps = (changes > _JUMP).mean(axis=1)
    end = _prefix(jumps <= _STILL)
    if end + 1 >= len(jumps) or end + 1 < thinnest:
        return 0
    step = end + int(jumps[end : end + 2].argmax())
    before = changes[max(0, end - 3) : end].mean() if end else 0.0
    sudden = changes[step].mean() >= _SUDDEN * before
    return step + 1 if sudden and jumps[step] >= _BLURRED_STEP else 0


def _changes(rows: Pixels) -> NDArray[np.int16]:
    """Return the change of green from each row to the next, levels."""
    found: NDArray[np.int16] = np.abs(np.diff(rows[..., 1].astype(np.int16), axis=0))
    return found


def _prefix(true: NDArray[np.bool_]) -> int:
    """Count the true values before the first false one."""
    return len(true) if true.all() else int(true.argmin())
