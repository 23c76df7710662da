"""The page that shows why a picture is taken for a copy: one HTML file that needs nothing else."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from homing.evidence.alignment import Alignment
from homing.evidence.edits import laid_on
from homing.html import Figure, jpeg_data_url, load_template

_SHOWN = 640  # pixels: the longest edge of a picture on the page
_QUALITY = 88  # of the JPEG on the page
_LINE = (255, 196, 0)
_SHADE = 0.45  # brightness of what only one of the pictures shows


@dataclass(frozen=True)
class Sheet:
    """What the page tells.

    Attributes
    ----------
    title : str
        Name of the suspect.
    verdict : str
        A sentence.
    positive : bool or None
        Whether it is taken for a copy; None: undecided.
    suspect : PIL.Image.Image
        8-bit RGB.
    record : PIL.Image.Image or None
        The same of what it was found to resemble; None where its file is not at hand.
    alignment : Alignment or None
        Of the two.
    edits : tuple of str
        What the copy seems to have suffered.
    facts : tuple of (str, str)
        Names and values.
    notes : tuple of str
        What could not be shown, and why.
    """

    title: str
    verdict: str
    positive: bool | None
    suspect: Image.Image
    record: Image.Image | None
    alignment: Alignment | None
    edits: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def render_sheet(sheet: Sheet) -> str:
    """Write the page.

    Returns
    -------
    str
        A complete HTML document in UTF-8: style and pictures inline, no script, no address of
        another place. All text is escaped.
    """
    template = load_template("homing.evidence", "sheet.html.j2")
    return template.render(sheet=sheet, figures=figures_of(sheet))


def figures_of(sheet: Sheet) -> list[Figure]:
    """Return the pictures that the page shows: the suspect, the record, one laid over the other."""
    if sheet.record is None:
        return [_figure(sheet.suspect, "the picture asked about")]
    if sheet.alignment is None:
        return [
            _figure(sheet.suspect, "the picture asked about"),
            _figure(sheet.record, "the record"),
        ]
    laid = laid_on(sheet.suspect, sheet.alignment, _bounded(sheet.record), sheet.record.size)
    return [
        _figure(
            _outlined(sheet.suspect, sheet.alignment.in_suspect),
            "the picture asked about; framed: what the record shows too",
        ),
        _figure(
            _outlined(sheet.record, sheet.alignment.in_record),
            "the record; framed: what is left of it in the picture asked about",
        ),
        _figure(laid, "the picture asked about, laid over the record"),
    ]


def _bounded(image: Image.Image) -> tuple[int, int]:
    factor = min(1.0, _SHOWN / max(image.size))
    return max(1, round(image.width * factor)), max(1, round(image.height * factor))


def _outlined(image: Image.Image, polygon: NDArray[np.float64]) -> Image.Image:
    """Picture with what lies outside of a polygon darkened, and its outline drawn."""
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
