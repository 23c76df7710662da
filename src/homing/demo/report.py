"""What the demonstration found, as plain data."""

import math
from dataclasses import dataclass

from PIL import Image

from homing.edits import PAPER


@dataclass(frozen=True)
class EditRow:
    """How often edited copies were found.

    Attributes
    ----------
    edit : str
        Name of the edit.
    passive, active : float
        Share of the pictures, 0 to 1, whose edited copy found its picture at rank 1: recorded as
        it was, and activated.
    """

    edit: str
    passive: float
    active: float


@dataclass(frozen=True)
class Example:
    """One picture, what became of it, and what a search for its edited copy gave.

    Attributes
    ----------
    title : str
        The picture's id, as a hit names it.
    original, released : PIL.Image.Image
        The picture before and after activation.
    difference : PIL.Image.Image
        Released minus original, times twenty, around mid-grey.
    edited : PIL.Image.Image
        An edited copy of the released picture: what was searched for.
    edit : str
        The name of that edit.
    active_hit, passive_hit : str or None
        Id at rank 1 among the activated, and among the untouched pictures; None for no hit.
    active_similarity : float or None
        Cosine of the activated picture's and the query's descriptors, −1 to 1.
    psnr : float
        Of the released picture, in dB; infinite where nothing was changed.
    """

    title: str
    original: Image.Image
    released: Image.Image
    difference: Image.Image
    edited: Image.Image
    edit: str
    active_hit: str | None
    active_similarity: float | None
    passive_hit: str | None
    psnr: float


@dataclass(frozen=True)
class DemoReport:
    """The whole of a demonstration.

    Attributes
    ----------
    pictures, background : int
        Pictures released, and other pictures in the same index.
    descriptor, codebook : str
        Name of the descriptor; factory string of the codebook.
    probes : int
        Cells visited by a search.
    rows : tuple of EditRow
        One an edit.
    examples : tuple of Example
        Some pictures in detail.
    psnr_mean, psnr_least : float
        Over the released pictures, in dB.
    seconds_release, seconds_total : float
        What releasing all pictures took, and the whole demonstration.
    notes : tuple of str
        What the reader should know besides; a sentence or two each.
    """

    pictures: int
    background: int
    descriptor: str
    codebook: str
    probes: int
    rows: tuple[EditRow, ...]
    examples: tuple[Example, ...]
    psnr_mean: float
    psnr_least: float
    seconds_release: float
    seconds_total: float
    notes: tuple[str, ...] = ()

    @property
    def mean_rows(self) -> tuple[EditRow, ...]:
        """The rows of the edits that the paper's mean counts."""
        counted = {edit.name for edit in PAPER if edit.in_mean}
        return tuple(row for row in self.rows if row.edit in counted)

    @property
    def mean(self) -> EditRow:
        """The mean over the paper's edits among the rows; NaN where there is none of them."""
        rows = self.mean_rows
        if not rows:
            return EditRow("mean", math.nan, math.nan)
        return EditRow(
            "mean",
            math.fsum(row.passive for row in rows) / len(rows),
            math.fsum(row.active for row in rows) / len(rows),
        )
