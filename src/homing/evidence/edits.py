"""Edits that were made to a copy, as its alignment with the original shows them."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from homing.evidence.alignment import Alignment

_SIDE, _HUES = 128, 256  # pixels of the longer side at which tones, and hues, are compared
_TURN = 2.0  # least degrees of a turn to report
_WHOLE = 0.97  # least share of a picture that counts as whole
_RESIZED, _STRETCHED = 0.04, 1.06
_STRIP = 0.02  # least share of a side that counts as added to it
_TONE, _CONTRAST = 10.0, 0.15  # levels, and share of the contrast
_OTHER_HUE = 12.0  # levels: least difference of a channel's distance from grey
_GREY, _COLOURED = 3.0, 8.0  # mean distance of the channels, levels


def name_edits(
    record: Image.Image, query: Image.Image, alignment: Alignment, enlarged: float = 1.0
) -> tuple[str, ...]:
    """Name the edits between two 8-bit RGB pictures, the coarsest first; none if they are equal.

    `enlarged` is what an edge of the query over the same edge of the record is to be multiplied by,
    where the two are shrunk.
    """
    return (*_geometry(alignment, query.size, enlarged), *_tones(record, query, alignment))


def _geometry(alignment: Alignment, query: tuple[int, int], enlarged: float) -> list[str]:
    found = []
    if alignment.mirrored:
        found.append("mirrored")
    turned = round(alignment.turned)
    if abs(alignment.turned) >= _TURN:
        way = "clockwise" if turned > 0 else "counter-clockwise"
        found.append(f"turned by {abs(turned)}° {way}")
    if alignment.shown < _WHOLE:
        found.append(f"cropped to {max(1, round(100 * alignment.shown))} % of the picture")
    if alignment.covered < _WHOLE:
        found.append(_surroundings(alignment, query))
    if alignment.stretch >= _STRETCHED:
        found.append(f"stretched by {round(100 * (alignment.stretch - 1))} % in one direction")
    scale = alignment.scale * enlarged
    if abs(scale - 1) >= _RESIZED:
        found.append(f"resized to {max(1, round(100 * scale))} %")
    return found


def _surroundings(alignment: Alignment, query: tuple[int, int]) -> str:
    """Say what was added around the picture: a strip above or below it, such as a caption, or all.

    `query` is its width and height.
    """
    size = np.asarray(query, np.float64)
    before = alignment.in_query.min(axis=0) / size
    after = 1 - alignment.in_query.max(axis=0) / size
    if abs(alignment.turned) < _TURN and max(before[0], after[0]) < _STRIP:
        above, below = before[1] >= _STRIP, after[1] >= _STRIP
        if above and below:
            return "with strips added above and below"
        if above or below:
            return f"with a caption or strip added {'above' if above else 'below'}"
    return f"inside a larger picture, of which it fills {round(100 * alignment.covered)} %"


def _tones(record: Image.Image, query: Image.Image, alignment: Alignment) -> list[str]:
    before, after = _common_pixels(record, query, alignment, _SIDE)
    if len(before) < 100:
        return []
    found = []
    grey_before, grey_after = before.mean(axis=1), after.mean(axis=1)
    if _colour(after) < _GREY and _colour(before) > _COLOURED:
        found.append("without colour")
    contrast = (grey_after.std() + 1) / (grey_before.std() + 1)
    if abs(np.log(contrast)) > np.log(1 + _CONTRAST):
        found.append("with more contrast" if contrast > 1 else "with less contrast")
    shift = grey_after.mean() - grey_before.mean()
    if abs(shift) >= _TONE:
        found.append("brighter" if shift > 0 else "darker")
    return found


def has_other_colours(record: Image.Image, query: Image.Image, alignment: Alignment) -> bool:
    """Return whether coloured areas have other hues; a query without colours has no others."""
    before, after = _common_pixels(record, query, alignment, _HUES)
    if len(before) < 100 or _colour(after) < 1:
        return False
    before, after = (each - each.mean(axis=1, keepdims=True) for each in (before, after))
    coloured = np.maximum(np.abs(before).max(axis=1), np.abs(after).max(axis=1)) >= _COLOURED
    apart = np.abs(before - after).max(axis=1)[coloured]
    return bool(len(apart) and np.median(apart) > _OTHER_HUE)


def _colour(pixels: NDArray[np.float64]) -> float:
    return float((pixels.max(axis=1) - pixels.min(axis=1)).mean())


def _common_pixels(
    record: Image.Image, query: Image.Image, alignment: Alignment, side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return pixels of the record and those of the query that lie on them, (n, 3) each."""
    factor = min(1.0, side / max(record.size))
    size = (max(1, round(record.width * factor)), max(1, round(record.height * factor)))
    small = np.asarray(record.resize(size, Image.Resampling.BOX), dtype=np.float64)
    seen = np.asarray(overlay(query, alignment, size, record.size), dtype=np.float64)
    common = Image.new("L", query.size, 0)
    corners = [(float(x), float(y)) for x, y in alignment.in_query]
    ImageDraw.Draw(common).polygon(corners, fill=255)
    inside = np.asarray(overlay(common, alignment, size, record.size)) == 255
    return small[inside], seen[inside]


def overlay(
    query: Image.Image, alignment: Alignment, size: tuple[int, int], record: tuple[int, int]
) -> Image.Image:
    """Draw the query at `size` as it lies on the record, which is `record` pixels large."""
    # Pillow needs the source of each pixel: from the record's place to the query's.
    enlarged = np.diag([record[0] / size[0], record[1] / size[1], 1.0])
    # A reduced query, so that distant pixels are averages and not single ones.
    step = max(1, int(alignment.scale * record[0] / size[0]))
    reduced = query.reduce(step) if step > 1 else query
    shrunk = np.diag([reduced.width / query.width, reduced.height / query.height, 1.0])
    matrix = shrunk @ alignment.matrix @ enlarged
    values = (matrix / matrix[2, 2]).ravel()[:8].tolist()
    return reduced.transform(
        size, Image.Transform.PERSPECTIVE, values, Image.Resampling.BILINEAR, fillcolor=0
    )
