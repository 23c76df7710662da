"""Collages: pictures side by side, with gutters or without, or one within another.

Where two pictures meet there is a step in a straight line, as long as the pictures are high, and
much steeper than the steps beside it; an edge of a photograph's own content is seldom so straight,
so long, or so sharp. A picture is cut at the steepest such line, and its parts again (the
recursive x–y cut, as of pages in :mod:`homing.search.frames.panels`). A picture within another is
a rectangle of four shorter ones.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.search.frames.borders import find_frame
from homing.search.frames.panels import Box, find_page_panels

MOST_PANELS = 9
"""Most panels of a picture: each costs a search."""

_SIDE = 400  # pixels of the longer side at which panels are searched for
_LEAST = 0.12  # of the longer side: each side of a panel
_MARGIN = 0.06  # of a side: nearer to the rim are frames
_RIM = 2  # pixels: least distance of cuts within parts, as of a gutter's other side
_MOST_STEP = 60  # levels: higher steps count as this one, so that no few of them decide
_NOISE = 1.5  # levels added to all steps
_BESIDE = (-6, -5, -4, -3, 3, 4, 5, 6)  # pixels: where the steps beside a line are
_PARTS = 8  # of a line, of which all but one must be steep
_STEEP, _STEEP_PART = 2.0, 1.6  # least step over those beside it: of a line, and of its parts
_DEPTH = 5  # cuts within cuts
_WHOLE = 0.9  # share of the picture from which a panel is the picture

_EDGE_STEP, _EDGE = 10.0, 1.8  # levels, and over those beside it: least step of a pixel of an edge
_DENSE = 0.7  # least share of such pixels along each side of a picture within another
_INSET = 0.18  # of the side: the smallest picture within another
_EDGES = 10  # most edges of each direction to combine

Values = NDArray[np.floating]


def find_panels(image: Image.Image) -> tuple[Box, ...]:
    """Find the pictures that an 8-bit RGB picture is put together of, at most nine.

    Returns
    -------
    tuple of boxes
        Left, top, right and bottom of each in pixels of the picture, the largest first. None if
        it is one picture, perhaps with a frame (:func:`homing.search.frames.borders.inner_box`).
    """
    factor = min(1.0, _SIDE / max(image.size))
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    small = np.asarray(image.resize(size, Image.Resampling.BOX))
    across, down = image.width / size[0], image.height / size[1]
    boxes = sorted(_panels(small), key=lambda box: -_area(box))[:MOST_PANELS]
    return tuple(
        (round(left * across), round(top * down), round(right * across), round(bottom * down))
        for left, top, right, bottom in boxes
    )


def _panels(pixels: NDArray[np.uint8]) -> list[Box]:
    height, width = pixels.shape[:2]
    if min(height, width) < 32:
        return []
    page = find_page_panels(pixels)
    if len(page) > 1:
        return page
    box = page[0] if page else find_frame(pixels) or (0, 0, width, height)
    least = _LEAST * max(height, width)
    found = [
        part
        for part in _cut(pixels.astype(np.float32), box, _DEPTH)
        if min(part[2] - part[0], part[3] - part[1]) >= least
    ]
    if len(found) > 1:
        return found
    inset = _inset(pixels.astype(np.float32))
    return [] if inset is None else [inset]


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _cut(pixels: Values, box: Box, depth: int) -> Iterator[Box]:
    """Yield the parts of a box between the lines that cut it."""
    left, top, right, bottom = box
    part = pixels[top:bottom, left:right]
    margin = _RIM if depth < _DEPTH else max(_RIM, round(_MARGIN * min(part.shape[:2])))
    upright = _steepest(part, margin)
    level = _steepest(part.transpose(1, 0, 2), margin)
    if depth == 0 or max(upright[0], level[0]) < _STEEP:
        yield box
    elif upright[0] >= level[0]:
        yield from _cut(pixels, (left, top, left + upright[1], bottom), depth - 1)
        yield from _cut(pixels, (left + upright[1], top, right, bottom), depth - 1)
    else:
        yield from _cut(pixels, (left, top, right, top + level[1]), depth - 1)
        yield from _cut(pixels, (left, top + level[1], right, bottom), depth - 1)


def _steepest(part: Values, margin: int) -> tuple[float, int]:
    """Return the steepness and place of the upright line that a part is best cut at."""
    height, width = part.shape[:2]
    if height < 2 * _PARTS or width < 2 * max(margin, 8):
        return 0.0, 0
    rows = _steps(part)
    ends = np.linspace(0, height, _PARTS + 1).astype(int)
    steps = np.add.reduceat(rows, ends[:-1], axis=0) / np.diff(ends)[:, None] + _NOISE
    beside = _beside(steps)
    steep = steps.mean(axis=0) / beside.mean(axis=0)
    second = np.partition(steps / beside, 1, axis=0)[1]
    good = (steep >= _STEEP) & (second >= _STEEP_PART)
    good[:margin] = good[width - margin :] = False
    if not good.any():
        return 0.0, 0
    place = int(np.where(good, steep, 0).argmax())
    # The step lies before this column or before the next.
    single = np.abs(np.diff(part, axis=1)).max(axis=2).mean(axis=0)[place - 1 : place + 1]
    return float(steep[place]), place + int(single.argmax())


def _steps(part: Values) -> Values:
    """Return the steps across upright lines, (h, w): the two around each column added."""
    single = np.zeros(part.shape[:2], np.float32)
    single[:, 1:] = np.minimum(np.abs(np.diff(part, axis=1)).max(axis=2), _MOST_STEP)
    single[:, :-1] += single[:, 1:].copy()
    return single


def _beside(steps: Values) -> Values:
    """Return the median of the steps beside each column."""
    width = steps.shape[1]
    columns = np.arange(width)
    near = [steps[:, np.clip(columns + away, 0, width - 1)] for away in _BESIDE]
    found: Values = np.median(np.stack(near), axis=0)
    return found


def _inset(pixels: Values) -> Box | None:
    """Find a picture within another one: four straight edges."""
    height, width = pixels.shape[:2]
    upright, level = _edges(pixels), _edges(pixels.transpose(1, 0, 2)).T
    columns = _longest(upright)
    rows = _longest(level.T)
    best, found = _DENSE, None
    for left in columns:
        for right in columns:
            if right - left < _INSET * width:
                continue
            for top in rows:
                for bottom in rows:
                    if bottom - top < _INSET * height:
                        continue
                    sides = (
                        upright[top:bottom, left], upright[top:bottom, right],
                        level[top, left:right], level[bottom, left:right],
                    )  # fmt: skip
                    share = min(float(side.mean()) for side in sides)
                    if share > best:
                        best, found = share, (left, top, right, bottom)
    if found is None or _area(found) > _WHOLE * width * height:
        return None
    return found


def _edges(pixels: Values) -> NDArray[np.bool_]:
    """Mark the pixels of steep steps across upright lines, (h, w), a pixel to both sides."""
    steps = _steps(pixels)
    steep = (steps >= _EDGE_STEP) & (steps >= _EDGE * (_beside(steps) + _NOISE))
    found = steep.copy()
    found[:, 1:] |= steep[:, :-1]
    found[:, :-1] |= steep[:, 1:]
    return found


def _longest(edges: NDArray[np.bool_]) -> list[int]:
    """Return the columns with the longest runs of edges, apart from one another."""
    score = np.zeros(edges.shape[1])
    best = np.zeros(edges.shape[1])
    for row in edges:  # the largest sum of any run (Kadane), of all columns together
        score = np.maximum(score + np.where(row, 1 - _DENSE, -_DENSE), 0)
        best = np.maximum(best, score)
    found: list[int] = []
    for column in np.argsort(-best).tolist():
        if len(found) == _EDGES or best[column] < 0.1 * _INSET * len(edges):
            break
        if all(abs(column - other) > 3 for other in found):
            found.append(column)
    return sorted(found)
