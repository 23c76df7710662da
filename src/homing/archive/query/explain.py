"""Explanations: the picture of the best hit, compared with the query and laid over it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from homing.archive.hits import Hit, Hits
from homing.archive.query.confirm import HitPicture, QueryPicture, compare_hit
from homing.archive.query.queries import DescribedQuery
from homing.archive.query.verdict import (
    NOT_FOUND,
    answer_in_words,
    hit_in_words,
    may_be_copy,
    rate_of_hit_in_words,
)
from homing.codebooks import Codebook
from homing.evidence import Alignment, Comparison, Sheet, figures_of, render_sheet
from homing.html import Figure
from homing.images import SHOWS_NOTHING
from homing.options import Limits

_ALIKE = ("file", "copy", "part")  # verdicts on pictures that are laid over each other


@dataclass(frozen=True, eq=False)
class Explanation:
    """Evidence that a picture is, or is not, a copy of an entry."""

    query: str  # name of the picture
    hit: Hit | None  # the best one; None if nothing was found
    query_cell: int | None = None  # cell of the query's best view, by the codebook of the hit
    reason: str | None = None  # why the two were not compared, or why there can be no hit
    comparison: Comparison | None = None
    suspect: Image.Image | None = field(default=None, repr=False)
    record: Image.Image | None = field(default=None, repr=False)

    @property
    def confirmed(self) -> bool | None:
        """True if the two, compared, are copies; None if unknown."""
        return None if self.hit is None else self.hit.confirmed

    @property
    def edits(self) -> tuple[str, ...]:
        """Edits of the copy, as far as they can be seen."""
        return () if self.hit is None else self.hit.edits

    @property
    def verdict(self) -> str:
        """Verdict, as a sentence."""
        nothing = self.reason or NOT_FOUND
        words = nothing if self.hit is None else answer_in_words([self.hit])
        return f"{words[0].upper()}{words[1:]}."

    @property
    def positive(self) -> bool | None:
        """True if it is a copy; None if that is undecided."""
        return False if self.hit is None else self.hit.is_copy

    @property
    def laid(self) -> Alignment | None:
        """How the two lie on each other, if that says anything: not of pictures that are unlike."""
        alike = self.hit is not None and (self.hit.verdict in _ALIKE or may_be_copy(self.hit))
        return self.alignment if alike else None

    @property
    def alignment(self) -> Alignment | None:
        """How the two lie on each other; None if that is unknown."""
        return None if self.comparison is None else self.comparison.alignment

    def facts(self) -> dict[str, str]:
        """Return names and values, for people."""
        if self.hit is None:
            return {}
        hit = self.hit
        same = hit.cell == self.query_cell
        cell = "the same cell" if same else f"the picture's is {self.query_cell}"
        generation = "" if hit.generation is None else f" of generation {hit.generation}"
        facts = {
            "entry": f"{hit.id} ({hit.state})",
            "verdict": hit_in_words(hit),
            "similarity": f"{hit.similarity:.4f} (at most 1)",
            "this similar": (
                "not known" if hit.false_alarm_rate is None else rate_of_hit_in_words(hit)
            ),
            "view": hit.view,
            "cell": f"{hit.cell}{generation}; {cell}",
            "distance to the code": f"{hit.code_distance:.4f}",
        }
        if self.comparison is not None and self.laid is not None:
            agreeing, compared = self.comparison.blocks_agreeing, self.comparison.blocks_compared
            facts["what agrees"] = f"{agreeing} of {compared} blocks with detail"
            facts["what both show"] = (
                f"{self.laid.shown:.0%} of the entry, {self.laid.covered:.0%} of the picture"
            )
        return facts | {name: str(value) for name, value in (hit.metadata or {}).items()}

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        alignment = self.alignment
        placed: Mapping[str, Any] = {}
        if alignment is not None and self.record is not None and self.suspect is not None:
            placed = {
                "agreeing": alignment.agreeing,
                "mirrored": alignment.mirrored,
                "turned": round(alignment.turned, 1),
                "scale": round(alignment.scale, 4),
                "shown": round(alignment.shown, 4),
                "covered": round(alignment.covered, 4),
                "record_size": list(self.record.size),
                "query_size": list(self.suspect.size),
                "in_record": alignment.in_record.round(1).tolist(),
                "in_query": alignment.in_query.round(1).tolist(),
            }
        return {
            "query": self.query,
            "verdict": self.verdict,
            "hit": None if self.hit is None else self.hit.as_dict(),
            "query_cell": self.query_cell,
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
            alignment=self.laid,
            edits=self.edits,
            facts=tuple(self.facts().items()),
            notes=(self.reason,) if self.reason and self.hit else (),
        )


def cell_of(query: DescribedQuery, hit: Hit | None, codebooks: Sequence[Codebook]) -> int | None:
    """Return the cell of the query's view that found a hit, in the hit's generation."""
    if hit is None or hit.view not in query.views:
        return None
    vector = query.vectors[query.views.index(hit.view)]
    codebook = codebooks[(hit.generation or 1) - 1]
    return int(codebook.cells(vector[None])[0])


def explain(
    name: str,
    query: DescribedQuery,
    picture: QueryPicture,
    hits: Hits,
    record: HitPicture,
    query_cell: int | None,
    limits: Limits,
) -> Explanation:
    """Compare a query with the picture of its best hit, which is confirmed already."""
    about: dict[str, Any] = {"query": name, "suspect": picture.image}
    if not query.views:
        return Explanation(**about, hit=None, reason=SHOWS_NOTHING)
    if not hits:
        return Explanation(**about, hit=None)
    about |= {"hit": hits[0], "query_cell": query_cell}
    if isinstance(record, str):
        return Explanation(**about, reason=f"the entry's picture: {record}")
    compared = compare_hit(hits[0], hits.recorded[hits[0].id], record, picture, limits)
    if compared.record is None:
        return Explanation(**about, reason=compared.hit.reason)
    return Explanation(**about, record=compared.record, comparison=compared.comparison)
