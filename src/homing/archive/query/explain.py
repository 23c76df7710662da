"""Evidence for a hit: the record's picture found again, laid over the query, and told in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from homing.archive.query.originals import Sources
from homing.archive.query.search import DescribedQuery, full_picture
from homing.archive.results import Hit
from homing.codebooks import Codebook
from homing.errors import PictureError
from homing.evidence import (
    Comparison,
    Sheet,
    Suspect,
    available,
    compare,
    edits_seen,
    figures_of,
    render_sheet,
)
from homing.html import Figure
from homing.images import SHOWS_NOTHING, read_rgb, shown
from homing.options import Limits
from homing.search import in_words, inner_box


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a picture is, or is not, taken for a copy of an entry.

    Attributes
    ----------
    query : str
        Name of the picture asked about.
    hit : Hit or None
        The best one; None where nothing was found.
    query_cell : int or None
        Cell that the winning view of the query falls in, by the codebook of the hit.
    file : str or None
        Where the record's picture was read.
    reason : str or None
        Why it was not, or why the two were not compared; or why there can be no hit.
    comparison : Comparison or None
        Of the two.
    edits : tuple of str
        What the copy seems to have suffered.
    """

    query: str
    hit: Hit | None
    query_cell: int | None = None
    file: str | None = None
    reason: str | None = None
    comparison: Comparison | None = None
    edits: tuple[str, ...] = ()
    suspect: Image.Image | None = field(default=None, repr=False)
    record: Image.Image | None = field(default=None, repr=False)

    @property
    def confirmed(self) -> bool | None:
        """Whether local features agree; None where that cannot be told."""
        return None if self.comparison is None else self.comparison.confirmed

    @property
    def verdict(self) -> str:
        """The finding, in a sentence."""
        if self.hit is None:
            if self.reason:
                return f"No verdict: {self.reason}."
            return "Nothing was found in the cells visited."
        name = self.hit.id
        if self.confirmed:
            return f"A copy of {name}: the two agree in their details."
        if self.hit.is_copy:
            doubt = "" if self.confirmed is None else "; yet the two do not agree in their details"
            return f"Taken for a copy of {name}{doubt}."
        if self.confirmed is False:
            return f"No copy: most like {name}, and the two do not agree in their details."
        if self.hit.is_copy is None:
            return f"Most like {name}; the archive is not calibrated, so there is no verdict."
        return f"No sure copy of anything; most like {name}."

    @property
    def positive(self) -> bool | None:
        """The finding, in a word: a copy or not; None where the evidence is divided or missing."""
        if self.hit is None:
            return False
        if self.confirmed is None:
            return self.hit.is_copy
        return None if self.hit.is_copy and not self.confirmed else self.confirmed

    def facts(self) -> dict[str, str]:
        """Names and values, for people."""
        if self.hit is None:
            return {}
        hit, rate = self.hit, self.hit.false_alarm_rate
        kept = (
            "the same cell"
            if hit.cell == self.query_cell
            else f"the picture's is {self.query_cell}"
        )
        generation = "" if hit.generation is None else f" of generation {hit.generation}"
        facts = {
            "record": f"{hit.id} ({hit.state})",
            "similarity": f"{hit.similarity:.4f} (1 is the same picture)",
            "as similar by chance": (
                "not known" if rate is None else in_words(rate, bound=bool(hit.rate_is_bound))
            ),
            "view": hit.view,
            "cell": f"{hit.cell}{generation}; {kept}",
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
                "no agreement" if self.comparison.textured else "too few to tell"
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
                "in_query": alignment.in_suspect.round(1).tolist(),
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
        """Show it all as one HTML file that needs nothing besides itself."""
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


def explained(
    name: str,
    query: DescribedQuery,
    hit: Hit | None,
    codebooks: Sequence[Codebook],
    sources: Sources,
    limits: Limits,
) -> Explanation:
    """Look for the record's picture, and compare the two.

    Parameters
    ----------
    name : str
        Of the picture asked about.
    query : DescribedQuery
        The same as described.
    hit : Hit or None
        The best one.
    codebooks : sequence of Codebook
        Of the archive's generations.
    sources : Sources
    limits : Limits

    Raises
    ------
    PictureError
        The picture asked about cannot be read at its full size.
    """
    place = None if hit is None else sources.find(hit.id)
    return compared(name, query, hit, cell_of(query, hit, codebooks), place, limits)


def cell_of(query: DescribedQuery, hit: Hit | None, codebooks: Sequence[Codebook]) -> int | None:
    """Cell that the view of a query falls in by which it was found, of the hit's generation."""
    if hit is None or not query.views:
        return None
    vector = query.vectors[query.views.index(hit.view)]
    codebook = codebooks[(hit.generation or 1) - 1]
    return int(codebook.cells(vector[None])[0])


def compared(
    name: str,
    query: DescribedQuery,
    hit: Hit | None,
    query_cell: int | None,
    place: Path | str | None,
    limits: Limits,
) -> Explanation:
    """Compare a picture with that of the best hit, whose file, or why there is none, is known."""
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
    if not available():
        reason = "the two laid over each other: OpenCV is missing (pip install 'homing[evidence]')"
        return Explanation(**about, reason=reason)
    comparison = compare(record, Suspect(suspect, inner_box(suspect)))
    edits: tuple[str, ...] = ()
    if comparison.alignment is not None:
        edits = edits_seen(record, suspect, comparison.alignment)
    return Explanation(**about, comparison=comparison, edits=edits)
