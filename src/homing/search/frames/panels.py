"""Panels: pictures on a page, such as a screenshot, among plain grounds and text.

A picture on a page is not framed by bands (:mod:`homing.search.frames.borders`): there are columns
beside it with other content. But most pages are drawn in a few plain colours. All other pixels
fall apart into rectangles along gaps (the recursive x–y cut of document analysis [1]_), and the
largest rectangle that is filled to straight edges is taken for the picture.

References
----------
.. [1] G. Nagy, S. Seth. "Hierarchical Representation of Optically Scanned Documents". ICPR 1984.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, pixels; right and bottom are the first outside."""

Mask = NDArray[np.bool_]

_STILL = 3  # levels between neighbours on a plain ground, after coding
_TOLERANCE = 10  # levels from a ground's colour
_GROUND = 0.05  # share of all pixels that a colour needs to be a ground
_RIM = 0.03  # the same, of the pixels along the rim
_PAGE = 0.4  # share of all pixels that grounds have on a page
_EMPTY = 0.02  # share of a row or column that is not ground, in a gap
_GAP = 0.006  # of the longer side: the least gap, which also parts text from pictures
_LEAST = 0.12  # of the longer side: each side of a picture
_THINNEST = 4  # pixels: thinner ones vanish once their rim is taken off
_FILLED = 0.6  # share of the rectangle that is not ground
_EDGE = 0.5  # the same, of each of its sides
_RAGGED = 0.05  # of a side: how far in that may begin
_DEPTH = 8  # cuts within cuts
_NEARLY = 0.6  # of a side: least reduction that averages nothing away
_STEP = 2  # every second row and column tells which colours are plain


def scaled_down(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """Return an 8-bit picture, (h, w, 3), its longer side at most `side` pixels."""
    factor = min(1.0, side / max(image.size))
    if factor == 1:
        return np.asarray(image)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    if factor < _NEARLY:
        return np.asarray(image.resize(size, Image.Resampling.BOX))
    import cv2

    # Each pixel is of some of the four around it, which takes a fifth of the time.
    return np.asarray(cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_LINEAR), np.uint8)


def in_all_channels(mask: Mask) -> Mask:
    """Return where a mask, (…, 3), is true of all three; several times as fast as ``all``."""
    found: Mask = mask[..., 0] & mask[..., 1] & mask[..., 2]
    return found


def within(pixels: NDArray[np.uint8], least: ArrayLike, most: ArrayLike) -> Mask:
    """Return where all three levels, (h, w, 3), lie between bounds, one or three."""
    import cv2

    if not pixels.size:
        return np.zeros(pixels.shape[:2], dtype=bool)
    bounds = (tuple(np.broadcast_to(each, 3).tolist()) for each in (least, most))
    found: Mask = cv2.inRange(pixels, *bounds) > 0
    return found


def find_panel(pixels: NDArray[np.uint8]) -> Box | None:
    """Find the largest picture on a page; None if this is no page, or has no picture.

    `pixels` is (h, w, 3) RGB, best of some hundred pixels a side.
    """
    found = find_page_panels(pixels)
    return max(found, key=lambda box: (box[2] - box[0]) * (box[3] - box[1])) if found else None


def is_page(pixels: NDArray[np.uint8]) -> bool:
    """Return whether most of a picture, (h, w, 3) RGB, is of a few plain colours."""
    return bool(_ground(pixels).mean() >= _PAGE)


def find_page_panels(pixels: NDArray[np.uint8]) -> list[Box]:
    """Find all pictures on a page; none if this is no page."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    ground = _ground(pixels)
    if ground.mean() < _PAGE:
        return []
    content = ~ground
    leaves = _leaves(content, (0, 0, width, height), max(2, round(_GAP * side)), _DEPTH)
    found = [
        box
        for box in (_straighten(content, leaf) for leaf in leaves)
        if box is not None
        and min(box[2] - box[0], box[3] - box[1]) >= max(_THINNEST, _LEAST * side)
    ]
    # Scaling mixes the picture's own rim with the ground beside it.
    return [
        (left + (left > 0), top + (top > 0), right - (right < width), bottom - (bottom < height))
        for left, top, right, bottom in found
    ]


def _ground(pixels: NDArray[np.uint8]) -> Mask:
    """Mark the pixels in a colour of large plain parts of which some are at the rim.

    Bars of a picture on the page are plain, too, but not at the rim: they are cut later.
    """
    import cv2

    still = np.ones(pixels.shape[:2], dtype=bool)
    pixels = np.ascontiguousarray(pixels)
    if min(still.shape) > 1:
        still[:, 1:] &= within(cv2.absdiff(pixels[:, 1:], pixels[:, :-1]), 0, _STILL)
        still[1:] &= within(cv2.absdiff(pixels[1:], pixels[:-1]), 0, _STILL)
    if still.mean() < _PAGE / 2:  # most photographs end here: text has no plain pixels
        return np.zeros(still.shape, dtype=bool)
    some = pixels[::_STEP, ::_STEP].astype(np.int16)
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]).astype(np.int16)
    ground = np.zeros(still.shape, dtype=bool)
    for colour in _plain_colours(some[still[::_STEP, ::_STEP]], _GROUND * some[..., 0].size):
        if in_all_channels(np.abs(rim - colour) <= _TOLERANCE).mean() >= _RIM:
            ground |= within(pixels, colour - _TOLERANCE, colour + _TOLERANCE)
    return ground


def _plain_colours(seen: NDArray[np.int16], least: float) -> Iterator[NDArray[np.int16]]:
    """Yield the colours that at least so many of some pixels, (n, 3), have; the commonest first."""
    while len(seen) >= least:  # each round takes a colour away
        bins = (seen >> 3) @ np.array([1, 32, 1024], np.int16)
        fullest = np.bincount(bins).argmax()
        colour = np.median(seen[bins == fullest], axis=0).astype(np.int16)
        same = in_all_channels(np.abs(seen - colour) <= _TOLERANCE)
        if same.sum() < least:
            return
        yield colour
        seen = seen[~same]


def _leaves(content: Mask, box: Box, gap: int, depth: int) -> Iterator[Box]:
    """Yield the rectangles between gaps, each without plain margins."""
    left, top, right, bottom = box
    part = content[top:bottom, left:right]
    rows = _runs(part.mean(axis=1) > _EMPTY, gap)
    columns = _runs(part.mean(axis=0) > _EMPTY, gap)
    if not rows or not columns:
        return
    whole = rows == [(0, bottom - top)] and columns == [(0, right - left)]
    if whole or depth == 0:
        yield box
        return
    for first, last in rows:
        for start, end in columns if len(rows) == 1 else [(0, right - left)]:
            inner = (left + start, top + first, left + end, top + last)
            yield from _leaves(content, inner, gap, depth - 1)


def _runs(full: Mask, gap: int) -> list[tuple[int, int]]:
    """Return begin and end of each run of true values; shorter gaps than `gap` do not end one."""
    places = np.flatnonzero(full)
    if not len(places):
        return []
    cuts = np.flatnonzero(np.diff(places) > gap)
    first = places[np.r_[0, cuts + 1]].tolist()
    last = (places[np.r_[cuts, len(places) - 1]] + 1).tolist()
    return list(zip(first, last, strict=True))


def _straighten(content: Mask, box: Box) -> Box | None:
    """Cut a rectangle to its first filled rows and columns; None if too far in, or not filled.

    This removes coding noise around a picture, and refuses content without straight edges.
    """
    left, top, right, bottom = box
    part = content[top:bottom, left:right]
    ranges = []
    for axis in (0, 1):
        filled = np.flatnonzero(part.mean(axis=axis) >= _EDGE)
        length = part.shape[1 - axis]
        if not len(filled):
            return None
        first, last = int(filled[0]), int(filled[-1]) + 1
        if max(first, length - last) > max(2, _RAGGED * length):
            return None
        ranges.append((first, last))
    (start, end), (first, last) = ranges
    if part[first:last, start:end].mean() < _FILLED:
        return None
    return left + start, top + first, left + end, top + last
