"""Hits of searches: entries found, with their verdicts."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from homing.search.engines.deadline import Partial


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision on a hit, which overrules the verdict.

    Attributes
    ----------
    number : int
        Names it, for :meth:`Archive.undo_decision`.
    copy : bool
        Whether the query was decided to be a copy of the entry.
    by : str
        Name of the person.
    at : datetime
        When it was decided, UTC.
    same_query : bool
        Whether it was decided on this file; False: on another that shows next to the same.
    """

    number: int
    copy: bool
    by: str
    at: datetime.datetime
    same_query: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the object in a ``--json`` line."""
        return {
            "number": self.number,
            "copy": self.copy,
            "by": self.by,
            "at": self.at.isoformat(timespec="seconds"),
            "same_query": self.same_query,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Decision":
        """Make a decision of the object in a ``--json`` line."""
        known = {each.name: values[each.name] for each in fields(cls)}
        return cls(**known | {"at": datetime.datetime.fromisoformat(values["at"])})


LESS_SIMILAR = "not compared: less similar than those that were"
"""Reason of a hit that a comparison left aside, because better ones had settled the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry that a search returns.

    Attributes
    ----------
    id : str
        Id of the entry.
    similarity : float
        Cosine of the query's descriptor and the entry's stored one, in [−1, 1].
    view : str
        Transformation of the query that matched: "upright" is none; else some of "border cut",
        "inner crop (…)", "mirrored", "turned 90°" (counter-clockwise).
    cell : int
        The entry's cell in its codebook.
    code_distance : float
        Distance of the query to the entry's code: squared Euclidean, or differing bits (LSH; in an
        archive of several generations the squared distance that these stand for).
    state : str
        "released" or "added".
    false_alarm_rate : float or None
        Share of queries without a match whose hits stand out from all else as much as this one; or,
        with an older calibration, have any hit as similar. None where nothing tells, as of the next
        two.
    rate_is_bound : bool or None
        Whether the true share is lower, by how much the archive's calibration cannot tell.
    rate_is_provisional : bool or None
        Whether the rate rests on pictures that ship with homing, as in an archive of few entries.
    is_copy : bool or None
        Whether it is a copy: by `verdict`, or by `false_alarm_rate` where the pictures were not
        compared for want of one; None if undecided, or not compared.
    verdict : str or None
        What the two pictures, compared, say: "file" (the very file, or its source, byte for byte),
        "copy", "part" (both show a frame, a logo or a background, and something else beside it),
        "undecided" (too little detail) or "none". None if they were not compared.
    reason : str or None
        What the verdict rests on, in words.
    shown, covered : float or None
        Share of the entry's picture that the query shows, and share of the query that shows it.
    agreeing : float or None
        Share of the blocks with detail in what both show that look alike.
    region : tuple of int or None
        Left, top, right and bottom, in pixels of the query, of what shows the entry.
    edits : tuple of str
        What was done to the copy, as far as it can be seen.
    metadata : mapping or None
        The entry's metadata from its manifest.
    generation : int or None
        Codebook generation of cell and code, from 1; None in an archive of one.
    decision : Decision or None
        A person's decision on the query, or on one that shows next to the same; `is_copy` is then
        what was decided.
    """

    id: str
    similarity: float
    view: str
    cell: int
    code_distance: float
    state: str
    false_alarm_rate: float | None = None
    rate_is_bound: bool | None = None
    rate_is_provisional: bool | None = None
    is_copy: bool | None = None
    verdict: str | None = None
    reason: str | None = None
    shown: float | None = None
    covered: float | None = None
    agreeing: float | None = None
    region: tuple[int, int, int, int] | None = None
    edits: tuple[str, ...] = ()
    metadata: Mapping[str, Any] | None = None
    generation: int | None = None
    decision: Decision | None = None

    @property
    def left_aside(self) -> bool:
        """Whether it was not compared, because better hits had settled the answer."""
        return self.reason == LESS_SIMILAR and self.decision is None

    @property
    def confirmed(self) -> bool | None:
        """Whether the pictures, compared, are copies; None if not compared, or undecided."""
        return None if self.verdict is None else _CONFIRMED[self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a hit in a ``--json`` line: always the same ones, null if unknown."""
        rate = self.false_alarm_rate
        return {
            "id": self.id,
            "similarity": round(self.similarity, 5),
            "view": self.view,
            "region": None if self.region is None else list(self.region),
            "cell": self.cell,
            "code_distance": round(self.code_distance, 5),
            "state": self.state,
            "generation": self.generation,
            "false_alarm_rate": None if rate is None else float(f"{rate:.3g}"),
            "rate_is_bound": self.rate_is_bound,
            "rate_is_provisional": self.rate_is_provisional,
            "is_copy": self.is_copy,
            "confirmed": self.confirmed,
            "verdict": self.verdict,
            "reason": self.reason,
            "shown": _rounded(self.shown, 4),
            "covered": _rounded(self.covered, 4),
            "agreeing": _rounded(self.agreeing, 4),
            "edits": list(self.edits),
            "metadata": dict(self.metadata) if self.metadata else {},
            "decision": None if self.decision is None else self.decision.as_dict(),
        }


_CONFIRMED = {"file": True, "copy": True, "part": False, "undecided": None, "none": False}


@dataclass(frozen=True, slots=True)
class RecordedPicture:
    """Facts of an entry's picture, as the table has them."""

    preview: str | None  # reference to it; None: there is none
    source_sha256: bytes
    file_sha256: bytes
    width: int  # as stored, perhaps not upright
    height: int


class Hits(tuple[Hit, ...]):
    """The hits of one query, best first: a tuple that says what was searched.

    Attributes
    ----------
    partial : Partial or None
        What the answer leaves out; None if all entries were searched. Only with a deadline: without
        one, an unreadable part of the archive is an error.
    recorded : mapping of str to RecordedPicture
        By id, of the hits whose pictures can be compared, what that needs.
    cells_searched, cells : int or None
        Cells that each view of the query visited, and cells there are, over all codebook
        generations; None where unknown.
    """

    partial: Partial | None
    recorded: Mapping[str, RecordedPicture]
    cells_searched: int | None
    cells: int | None

    def __new__(
        cls,
        hits: Iterable[Hit] = (),
        partial: Partial | None = None,
        cells_searched: int | None = None,
        cells: int | None = None,
        recorded: Mapping[str, RecordedPicture] | None = None,
    ) -> "Hits":
        """Make the hits of a query."""
        made = super().__new__(cls, hits)
        made.partial = partial
        made.recorded = dict(recorded or {})
        made.cells_searched = cells_searched
        made.cells = cells
        return made

    def replaced(
        self, hits: Iterable[Hit], recorded: Mapping[str, RecordedPicture] | None = None
    ) -> "Hits":
        """Return other hits of the same search, such as these in another order.

        What is recorded of their pictures stays, unless `recorded` is given.
        """
        known = self.recorded if recorded is None else recorded
        return Hits(hits, self.partial, self.cells_searched, self.cells, known)


@dataclass(frozen=True)
class SearchResult:
    """The hits of one picture, or the reason why it could not be searched for.

    Attributes
    ----------
    query : str
        Path as given.
    seconds : float
        Share of the run's time.
    hits : tuple of Hit
    reason : str or None
        Why the picture could not be searched for.
    note : str or None
        Why no hits are possible: the picture shows nothing. Or what is wrong with its file, which
        was read as far as it goes.
    partial : Partial or None
        What the answer leaves out, with a deadline; None if all entries were searched.
    cells_searched, cells : int or None
        As of :class:`Hits`.
    """

    query: str
    seconds: float = 0.0
    hits: tuple[Hit, ...] = ()
    reason: str | None = None
    note: str | None = None
    partial: Partial | None = None
    cells_searched: int | None = None
    cells: int | None = None

    @classmethod
    def of(cls, query: str, seconds: float, hits: Hits, note: str | None = None) -> "SearchResult":
        """Return the result that a query's hits are."""
        searched = (hits.partial, hits.cells_searched, hits.cells)
        return cls(query, seconds, hits, None, note, *searched)

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        if self.reason is not None:
            return {"query": self.query, "status": "failed", "reason": self.reason}
        values: dict[str, Any] = {
            "query": self.query,
            "seconds": round(self.seconds, 4),
            "hits": [hit.as_dict() for hit in self.hits],
            "cells_searched": self.cells_searched,
            "cells": self.cells,
        }
        if self.partial is not None:
            values |= {"partial": self.partial.as_dict()}
        return values | ({"note": self.note} if self.note else {})


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
