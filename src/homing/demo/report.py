"""Results of the demonstration, as plain data."""

import math
from dataclasses import dataclass

from PIL import Image

from homing.edits import PAPER


@dataclass(frozen=True)
class EditRow:
    """Shares of the pictures, 0 to 1, whose edited copy found its picture at rank 1."""

    edit: str
    passive: float  # pictures recorded as they were
    active: float  # pictures activated


@dataclass(frozen=True)
class Example:
    """One picture, its released file, and a search for an edited copy of that file."""

    title: str  # id of the picture, as in hits
    original: Image.Image
    released: Image.Image
    difference: Image.Image  # released minus original, times twenty, around mid-grey
    edited: Image.Image
    edit: str
    active_hit: str | None  # id at rank 1 among the activated pictures; None for no hit
    active_similarity: float | None  # cosine of picture and query
    passive_hit: str | None  # id at rank 1 among the untouched pictures
    psnr: float  # dB; infinite where nothing was changed


@dataclass(frozen=True)
class DemoReport:
    """Results of a demonstration."""

    pictures: int  # released
    background: int  # others in the same index
    descriptor: str
    codebook: str  # factory string
    probes: int  # cells visited by a search
    rows: tuple[EditRow, ...]
    examples: tuple[Example, ...]
    psnr_mean: float  # dB
    psnr_least: float
    seconds_release: float
    seconds_total: float
    notes: tuple[str, ...] = ()  # sentences for the reader

    @property
    def mean_rows(self) -> tuple[EditRow, ...]:
        """Rows of the edits in the paper's mean."""
        counted = {edit.name for edit in PAPER if edit.in_mean}
        return tuple(row for row in self.rows if row.edit in counted)

    @property
    def mean(self) -> EditRow:
        """Mean over the paper's edits; NaN without any."""
        rows = self.mean_rows
        if not rows:
            return EditRow("mean", math.nan, math.nan)
        return EditRow(
            "mean",
            math.fsum(row.passive for row in rows) / len(rows),
            math.fsum(row.active for row in rows) / len(rows),
        )
