"""Collages: pictures side by side, with gutters or without, or one within another.

Where two pictures meet there is a step in a straight line, as long as the pictures are high, and
much steeper than the steps beside it; an edge of a photograph's own content is seldom so straight,
so long, or so sharp. A picture is cut at the steepest such line, and its parts again (the
recursive x–y cut, as of pages in :mod:`homing.search.frames.panels`). A picture within another is
a rectangle of four shorter ones.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.search.frames.borders import find_frame
from homing.search.frames.panels import Box, find_page_panels, scaled_down
from homing.search.frames.rest import area, distinct

MOST_PANELS = 16
"""Most panels of a picture: each costs a search."""

_SIDE = 400  # pixels of the longer side at which panels are searched for
_LEAST = 0.12  # of the longer side: each side of a panel
_MARGIN = 0.06  # of a side: nearer to the rim are frames
_RIM = 2  # pixels: least distance of cuts within parts, as of a gutter's other side
_MOST_STEP = 60  # levels: higher steps count as this one, so that no few of them decide
_NOISE = 1.5  # levels added to all steps
_BESIDE = (-6, -5, -4, -3, 3, 4, 5, 6)  # pixels: where the steps beside a line are
_PARTS = 8  # of a line, of which all but one must be steep
_FIRST = 2.0, 1.8  # least step over those beside it: of the first line, and of its parts
_LATER = 1.8, 1.6  # the same, of a picture that is cut already
_DEPTH = 9  # cuts within cuts
_WHOLE = 0.9  # share of the picture from which a panel is the picture

_EDGE_STEP, _EDGE = 10.0, 1.65  # levels, and over those beside it: least step of a pixel of an edge
_DENSE = 0.7  # least share of such pixels along each side of a picture within another
_INSET = 0.18  # of the side: the smallest picture within another
_EDGES = 10  # most edges of each direction to combine

Values = NDArray[np.floating]
Places = NDArray[np.int64]


def find_panels(image: Image.Image) -> tuple[Box, ...]:
    """Find the pictures that an 8-bit RGB picture is put together of.

    A part that is cut again is returned as well, since the second cut may be an edge within it.

    Returns
    -------
    tuple of boxes
        Left, top, right and bottom of each in pixels of the picture, the largest first, at most
        :data:`MOST_PANELS`. None if it is one picture, perhaps with a frame
        (:func:`homing.search.frames.borders.inner_box`).
    """
    small = scaled_down(image, _SIDE)
    across, down = image.width / small.shape[1], image.height / small.shape[0]
    boxes = _panels(small)[:MOST_PANELS]
    return tuple(
        (round(left * across), round(top * down), round(right * across), round(bottom * down))
        for left, top, right, bottom in boxes
    )


def _panels(pixels: NDArray[np.uint8]) -> list[Box]:
    import cv2

    height, width = pixels.shape[:2]
    if min(height, width) < 32:
        return []
    page = find_page_panels(pixels)
    if len(page) > 1:
        return page
    box = page[0] if page else find_frame(pixels) or (0, 0, width, height)
    least = _LEAST * max(height, width)
    steps = _steps(pixels), _steps(cv2.transpose(pixels))
    parts = [
        part
        for part in _cut(steps, box, _DEPTH)
        if min(part[2] - part[0], part[3] - part[1]) >= least and area(part) < _WHOLE * area(box)
    ]
    if parts:
        return distinct(sorted(parts, key=lambda part: -area(part)))
    inset = _inset(*steps)
    return [] if inset is None else [inset]


def _steps(pixels: NDArray[np.uint8]) -> Values:
    """Return the steps between each pixel and that to the left of it, (h, w), levels."""
    import cv2

    red, green, blue = cv2.split(cv2.absdiff(pixels[:, 1:], pixels[:, :-1]))
    highest = cv2.max(cv2.max(red, green), blue)
    found = np.zeros(pixels.shape[:2], np.float32)
    found[:, 1:] = np.minimum(highest, _MOST_STEP)
    return found


def _cut(steps: tuple[Values, Values], box: Box, depth: int) -> Iterator[Box]:
    """Yield a box and the parts between the lines that cut it, and the parts of these.

    `steps` are those across upright lines, and, transposed, those across level ones.
    """
    left, top, right, bottom = box
    side = min(right - left, bottom - top)
    margin = _RIM if depth < _DEPTH else max(_RIM, round(_MARGIN * side))
    least = _LATER if depth < _DEPTH else _FIRST
    upright = _steepest(steps[0][top:bottom, left:right], margin, *least)
    level = _steepest(steps[1][left:right, top:bottom], margin, *least)
    yield box
    if depth == 0 or not max(upright[0], level[0]):
        return
    if upright[0] >= level[0]:
        yield from _cut(steps, (left, top, left + upright[1], bottom), depth - 1)
        yield from _cut(steps, (left + upright[1], top, right, bottom), depth - 1)
    else:
        yield from _cut(steps, (left, top, right, top + level[1]), depth - 1)
        yield from _cut(steps, (left, top + level[1], right, bottom), depth - 1)


def _steepest(steps: Values, margin: int, least: float, each: float) -> tuple[float, int]:
    """Return the steepness and place of the upright line to cut a part at; 0 without any."""
    height, width = steps.shape
    if height < 2 * _PARTS or width < 2 * max(margin, 8):
        return 0.0, 0
    ends = np.linspace(0, height, _PARTS + 1).astype(int)
    single = np.add.reduceat(steps, ends[:-1], axis=0) / np.diff(ends)[:, None]
    both = _both_sides(single) + _NOISE
    columns = np.arange(width)
    near = np.stack([both[:, np.clip(columns + away, 0, width - 1)] for away in _BESIDE])
    beside = np.sort(near, axis=0)[len(near) // 2 - 1 : len(near) // 2 + 1].mean(axis=0)
    steep = both.mean(axis=0) / beside.mean(axis=0)
    second = np.partition(both / beside, 1, axis=0)[1]
    good = (steep >= least) & (second >= each)
    good[:margin] = good[width - margin :] = False
    if not good.any():
        return 0.0, 0
    place = int(np.where(good, steep, 0).argmax())
    # The step lies before this column or before the next.
    return float(steep[place]), place + int(single.mean(axis=0)[place : place + 2].argmax())


def _both_sides(steps: Values) -> Values:
    """Return the steps before and after each column added: scaling blurs one into two."""
    found = steps.copy()
    found[:, :-1] += steps[:, 1:]
    return found


def _inset(upright_steps: Values, level_steps: Values) -> Box | None:
    """Find a picture within another one: four straight edges."""
    height, width = upright_steps.shape
    upright = _edges(upright_steps)
    columns = _longest(upright)
    across = _pairs(columns, _INSET * width)
    if not len(across):
        return None
    level = _edges(level_steps).T
    rows = _longest(level.T)
    down = _pairs(rows, _INSET * height)
    if not len(down):
        return None
    sides = _shares(upright, columns, across, down), _shares(level.T, rows, down, across).T
    shares = np.minimum(*sides)
    place = np.unravel_index(int(shares.argmax()), shares.shape)
    (left, right), (top, bottom) = across[place[0]].tolist(), down[place[1]].tolist()
    found = left, top, right, bottom
    return None if shares[place] <= _DENSE or area(found) > _WHOLE * width * height else found


def _shares(edges: NDArray[np.bool_], columns: list[int], pairs: Places, ends: Places) -> Values:
    """Return the share of edges in the emptier column of each pair, between ends: (pairs, ends)."""
    counts = np.zeros((len(edges) + 1, len(columns)))
    np.cumsum(edges[:, columns], axis=0, out=counts[1:])
    between = (counts[ends[:, 1]] - counts[ends[:, 0]]) / np.diff(ends)
    places = np.searchsorted(columns, pairs)
    return np.minimum(between[:, places[:, 0]], between[:, places[:, 1]]).T


def _pairs(places: list[int], least: float) -> Places:
    """Return pairs of ascending places at least so far apart, (n, 2)."""
    pairs = [pair for pair in itertools.combinations(places, 2) if pair[1] - pair[0] >= least]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _edges(steps: Values) -> NDArray[np.bool_]:
    """Mark the pixels of steep steps across upright lines, (h, w), a pixel to both sides."""
    import cv2

    both = _both_sides(steps)
    weights = np.zeros((1, 2 * max(_BESIDE) + 1), np.float32)
    weights[0, max(_BESIDE) + np.array(_BESIDE)] = 1 / len(_BESIDE)
    beside = cv2.filter2D(both, cv2.CV_32F, weights)
    steep: NDArray[np.bool_] = (both >= _EDGE_STEP) & (both >= _EDGE * (beside + _NOISE))
    found = steep.copy()
    found[:, 1:] |= steep[:, :-1]
    found[:, :-1] |= steep[:, 1:]
    return found


def _longest(edges: NDArray[np.bool_]) -> list[int]:
    """Return the columns with the longest runs of edges, apart from one another."""
    some = edges[::2]  # every second row will do
    # The largest sum of any run, as the largest rise of the running sum.
    sums = np.zeros((len(some) + 1, some.shape[1]), np.float32)
    np.cumsum(some - np.float32(_DENSE), axis=0, out=sums[1:])
    best = (sums - np.minimum.accumulate(sums, axis=0)).max(axis=0)
    found: list[int] = []
    for column in np.argsort(-best).tolist():
        if len(found) == _EDGES or best[column] < 0.1 * _INSET * len(some):
            break
        if all(abs(column - other) > 3 for other in found):
            found.append(column)
    return sorted(found)
