"""Page that shows why a picture is taken for a copy: one self-contained HTML file."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from homing.evidence.alignment import Alignment
from homing.evidence.edits import overlay
from homing.html import Figure, jpeg_data_url, load_template

_SHOWN = 640  # pixels: the longest edge of a picture on the page
_QUALITY = 88  # of the JPEG on the page
_LINE = (255, 196, 0)
_SHADE = 0.45  # brightness of areas that only one of the pictures shows

CAPTIONS = {
    "query": "the query",
    "entry": "the entry",
    "overlap": "the query, laid over the entry",
}
"""Captions of the pictures on the page."""

FRAMED = {
    "query": "the query; framed: what the entry shows too",
    "entry": "the entry; framed: what is left of it in the query",
}
"""Those of the first two where one is laid over the other."""


@dataclass(frozen=True)
class Sheet:
    """Content of the page; pictures are 8-bit RGB."""

    title: str  # name of the suspect
    verdict: str  # a sentence
    positive: bool | None  # taken for a copy; None: undecided
    suspect: Image.Image
    record: Image.Image | None  # None if its file is unavailable
    alignment: Alignment | None
    edits: tuple[str, ...]  # what was done to the copy, as far as it can be seen
    facts: tuple[tuple[str, str], ...]  # names and values
    notes: tuple[str, ...]  # reasons why something is not shown


def render_sheet(sheet: Sheet) -> str:
    """Return a complete HTML document: style and pictures inline, no script, all text escaped."""
    template = load_template("homing.evidence", "sheet.html.j2")
    return template.render(sheet=sheet, figures=figures_of(sheet))


def figures_of(sheet: Sheet) -> list[Figure]:
    """Return the pictures that the page shows: the query, the entry, one laid over the other."""
    plain = (CAPTIONS["query"], CAPTIONS["entry"])
    if sheet.record is None:
        return [_figure(sheet.suspect, plain[0])]
    if sheet.alignment is None:
        return [_figure(sheet.suspect, plain[0]), _figure(sheet.record, plain[1])]
    laid = overlay(sheet.suspect, sheet.alignment, _bounded(sheet.record), sheet.record.size)
    return [
        _figure(_outline(sheet.suspect, sheet.alignment.in_query), FRAMED["query"]),
        _figure(_outline(sheet.record, sheet.alignment.in_record), FRAMED["entry"]),
        _figure(laid, CAPTIONS["overlap"]),
    ]


def _bounded(image: Image.Image) -> tuple[int, int]:
    factor = min(1.0, _SHOWN / max(image.size))
    return max(1, round(image.width * factor)), max(1, round(image.height * factor))


def _outline(image: Image.Image, polygon: NDArray[np.float64]) -> Image.Image:
    """Darken a picture outside of a polygon, and draw the outline."""
    size = _bounded(image)
    shown = image.resize(size, Image.Resampling.LANCZOS)
    places = polygon * (size[0] / image.width, size[1] / image.height)
    corners = [(float(x), float(y)) for x, y in places]
    inside = Image.new("L", size, 0)
    ImageDraw.Draw(inside).polygon(corners, fill=255)
    dark = shown.point(lambda level: int(_SHADE * level))
    dark.paste(shown, (0, 0), inside)
    ImageDraw.Draw(dark).line([*corners, corners[0]], fill=_LINE, width=3, joint="curve")
    return dark


def _figure(image: Image.Image, caption: str) -> Figure:
    shown = image.resize(_bounded(image), Image.Resampling.LANCZOS)
    return Figure(caption, jpeg_data_url(shown, _QUALITY), shown.width, shown.height)
