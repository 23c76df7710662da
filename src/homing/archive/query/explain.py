"""Explanations: the record's picture of the best hit, compared with the query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from homing.archive.query.queries import DescribedQuery, full_picture
from homing.archive.query.verdict import explanation_in_words, rate_in_words
from homing.archive.results import Hit
from homing.codebooks import Codebook
from homing.errors import PictureError
from homing.evidence import (
    ComparableQuery,
    ComparableRecord,
    Comparison,
    Sheet,
    figures_of,
    name_edits,
    render_sheet,
)
from homing.html import Figure
from homing.images import SHOWS_NOTHING, read_rgb, shown
from homing.options import Limits
from homing.search.frames.borders import inner_box


@dataclass(frozen=True, eq=False)
class Explanation:
    """Evidence that a picture is, or is not, a copy of an entry."""

    query: str  # name of the picture
    hit: Hit | None  # the best one; None if nothing was found
    query_cell: int | None = None  # cell of the query's best view, by the codebook of the hit
    file: str | None = None  # file of the record's picture, if it was read
    reason: str | None = None  # why it was not read or compared, or why there can be no hit
    comparison: Comparison | None = None
    edits: tuple[str, ...] = ()  # edits that the copy seems to have suffered
    suspect: Image.Image | None = field(default=None, repr=False)
    record: Image.Image | None = field(default=None, repr=False)

    @property
    def confirmed(self) -> bool | None:
        """True if local features agree; None if unknown."""
        return None if self.comparison is None else self.comparison.confirmed

    @property
    def verdict(self) -> str:
        """Verdict, as a sentence."""
        return explanation_in_words(self.hit, self.confirmed, self.reason)

    @property
    def positive(self) -> bool | None:
        """True if it is a copy; None if the evidence is divided or missing."""
        if self.hit is None:
            return False
        if self.confirmed is None:
            return self.hit.is_copy
        return None if self.hit.is_copy and not self.confirmed else self.confirmed

    def facts(self) -> dict[str, str]:
        """Return names and values, for people."""
        if self.hit is None:
            return {}
        hit, rate = self.hit, self.hit.false_alarm_rate
        same = hit.cell == self.query_cell
        cell = "the same cell" if same else f"the picture's is {self.query_cell}"
        generation = "" if hit.generation is None else f" of generation {hit.generation}"
        facts = {
            "record": f"{hit.id} ({hit.state})",
            "similarity": f"{hit.similarity:.4f} (1 is the same picture)",
            "as similar by chance": (
                "not known" if rate is None else rate_in_words(rate, bound=bool(hit.rate_is_bound))
            ),
            "view": hit.view,
            "cell": f"{hit.cell}{generation}; {cell}",
            "distance to the code": f"{hit.code_distance:.4f}",
        }
        alignment = self.comparison.alignment if self.comparison else None
        if alignment is not None:
            facts["local features"] = f"{alignment.agreeing} matches agree"
            facts["what both show"] = (
                f"{alignment.shown:.0%} of the record, {alignment.covered:.0%} of the picture"
            )
        elif self.comparison is not None:
            facts["local features"] = (
                "too few to tell" if self.comparison.confirmed is None else "no agreement"
            )
        return facts | {name: str(value) for name, value in (hit.metadata or {}).items()}

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        alignment = self.comparison.alignment if self.comparison else None
        placed: Mapping[str, Any] = {}
        if alignment is not None:
            placed = {
                "agreeing": alignment.agreeing,
                "mirrored": alignment.mirrored,
                "turned": round(alignment.turned, 1),
                "scale": round(alignment.scale, 4),
                "shown": round(alignment.shown, 4),
                "covered": round(alignment.covered, 4),
                "in_record": alignment.in_record.round(1).tolist(),
                "in_query": alignment.in_query.round(1).tolist(),
            }
        return {
            "query": self.query,
            "verdict": self.verdict,
            "hit": None if self.hit is None else self.hit.as_dict(),
            "query_cell": self.query_cell,
            "file": self.file,
            "confirmed": self.confirmed,
            "alignment": placed or None,
            "edits": list(self.edits),
            "reason": self.reason,
        }

    def page(self) -> str:
        """Return one self-contained HTML file."""
        return render_sheet(self._sheet())

    def figures(self) -> list[Figure]:
        """Return the pictures of the page: the suspect, the record, one laid over the other."""
        return figures_of(self._sheet())

    def _sheet(self) -> Sheet:
        assert self.suspect is not None
        return Sheet(
            title=self.query,
            verdict=self.verdict,
            positive=self.positive,
            suspect=self.suspect,
            record=self.record,
            alignment=self.comparison.alignment if self.comparison else None,
            edits=self.edits,
            facts=tuple(self.facts().items()),
            notes=(self.reason,) if self.reason else (),
        )


def cell_of(query: DescribedQuery, hit: Hit | None, codebooks: Sequence[Codebook]) -> int | None:
    """Return the cell of the query's view that found a hit, in the hit's generation."""
    if hit is None or not query.views:
        return None
    vector = query.vectors[query.views.index(hit.view)]
    codebook = codebooks[(hit.generation or 1) - 1]
    return int(codebook.cells(vector[None])[0])


def explain(
    name: str,
    query: DescribedQuery,
    hit: Hit | None,
    query_cell: int | None,
    place: Path | str | None,
    limits: Limits,
) -> Explanation:
    """Compare a query with the best hit's picture; `place` is its file, or why there is none.

    Raises `PictureError` if the query cannot be read at its full size.
    """
    suspect = full_picture(query, limits)
    about: dict[str, Any] = {"query": name, "hit": hit, "suspect": suspect}
    if not query.views:
        return Explanation(**about, reason=SHOWS_NOTHING)
    if hit is None:
        return Explanation(**about)
    about["query_cell"] = query_cell
    assert place is not None
    if isinstance(place, str):
        return Explanation(**about, reason=f"the record's picture: {place}")
    try:
        record = read_rgb(place, limits=limits)
    except PictureError as error:
        return Explanation(**about, reason=f"the record's picture {shown(place)}: {error}")
    about |= {"record": record, "file": shown(place)}
    query_picture = ComparableQuery(suspect, inner_box(suspect))
    comparison = query_picture.compare(ComparableRecord(record))
    alignment = comparison.alignment
    edits = () if alignment is None else name_edits(record, suspect, alignment)
    return Explanation(**about, comparison=comparison, edits=edits)
