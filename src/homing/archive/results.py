"""What an archive answers: one outcome for each picture released or added, hits, and reports."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homing.search.engines.deadline import Partial


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one picture given to ``release``, ``add`` or ``activate``.

    Attributes
    ----------
    source : str
        The path as given.
    status : str
        "released", "added", "activated", "skipped" or "failed".
    id : str or None
        Under what it is recorded.
    reason : str or None
        Why it was skipped or failed.
    file : str or None
        The file written.
    psnr : float or None
        dB; None if nothing was written or nothing changed.
    ssim : float or None
        Structural similarity of the luminance, up to 1.
    cell_kept : bool or None
        Whether the file falls in the cell it was activated for.
    also_kept : tuple of bool
        The same for each further codebook that it was activated for.
    seconds : float
        Share of the run's time.
    notes : tuple of str
        What was not kept, or not possible.
    c2pa_manifest : str or None
        Id of the manifest that the file was signed with.
    """

    source: str
    status: str
    id: str | None = None
    reason: str | None = None
    file: str | None = None
    psnr: float | None = None
    ssim: float | None = None
    cell_kept: bool | None = None
    also_kept: tuple[bool, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    c2pa_manifest: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line; those without a value are left out."""
        values: dict[str, Any] = {"source": self.source, "status": self.status, "id": self.id}
        values |= {"reason": self.reason, "file": self.file}
        values |= {"psnr": _rounded(self.psnr, 3), "ssim": _rounded(self.ssim, 5)}
        values |= {"cell_kept": self.cell_kept, "also_kept": list(self.also_kept) or None}
        values |= {"notes": list(self.notes) or None, "c2pa_manifest": self.c2pa_manifest}
        kept = {key: value for key, value in values.items() if value is not None}
        return kept | {"seconds": round(self.seconds, 4)}


@dataclass(frozen=True)
class Report:
    """The outcomes of one run, in the order of its inputs."""

    outcomes: tuple[Outcome, ...]
    seconds: float

    def __iter__(self) -> Iterator[Outcome]:
        """Iterate over the outcomes."""
        return iter(self.outcomes)

    def __len__(self) -> int:
        """Count the outcomes."""
        return len(self.outcomes)

    def count(self, status: str) -> int:
        """How many outcomes have that status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """Return the outcomes that failed, each with its reason."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")

    def __str__(self) -> str:
        """Summarise in one line."""
        return summary(self.outcomes, self.seconds)


def summary(outcomes: tuple[Outcome, ...], seconds: float) -> str:
    """One line that counts the outcomes by status."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.status] = counts.get(outcome.status, 0) + 1
    parts = [f"{number} {status}" for status, number in counts.items()]
    return f"{', '.join(parts) or 'nothing to do'} in {seconds:.1f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """An entry that a search returns.

    Attributes
    ----------
    id : str
        Of the entry.
    similarity : float
        Cosine of the query's descriptor and the entry's stored one, in [−1, 1].
    view : str
        What was done to the query so that it matched: "upright" is nothing; else some of "border
        cut", "inner crop (…)", "mirrored", "turned 90°" (counter-clockwise).
    cell : int
        Cell of the codebook that the entry lies in.
    code_distance : float
        Distance of the query to the entry's code: squared Euclidean, or differing bits (LSH; in an
        archive of several generations the squared distance that these stand for).
    state : str
        "released" or "added".
    false_alarm_rate, is_copy
        The verdict, once the archive is calibrated (None before): the share of queries without a
        match that have any hit as similar as this one, and whether that is low enough.
    generation : int or None
        Codebook generation that the cell and the code are of, from 1; None in an archive of one.
    rate_is_bound : bool or None
        Whether that share is lower still: by how much, the archive's calibration cannot tell.
    confirmed : bool or None
        Whether local features of the two pictures agree; None where that was not asked or cannot
        be told.
    metadata : mapping or None
        What the manifest said of it.
    """

    id: str
    similarity: float
    view: str
    cell: int
    code_distance: float
    state: str
    false_alarm_rate: float | None = None
    rate_is_bound: bool | None = None
    is_copy: bool | None = None
    confirmed: bool | None = None
    metadata: Mapping[str, Any] | None = None
    generation: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a hit in a ``--json`` line."""
        values: dict[str, Any] = {
            "id": self.id,
            "similarity": round(self.similarity, 5),
            "view": self.view,
            "cell": self.cell,
            "code_distance": round(self.code_distance, 5),
            "state": self.state,
        }
        if self.generation is not None:
            values |= {"generation": self.generation}
        if self.false_alarm_rate is not None:
            values |= {"false_alarm_rate": float(f"{self.false_alarm_rate:.3g}")}
        if self.rate_is_bound is not None:
            values |= {"rate_is_bound": self.rate_is_bound}
        if self.is_copy is not None:
            values |= {"is_copy": self.is_copy}
        if self.confirmed is not None:
            values |= {"confirmed": self.confirmed}
        return values | {"metadata": dict(self.metadata) if self.metadata else {}}


class Hits(tuple[Hit, ...]):
    """The hits of one query, best first: a tuple that says whether it is complete.

    Attributes
    ----------
    partial : Partial or None
        What the answer leaves out; None if all entries were asked. Only where a deadline was given:
        without one, what cannot be read is an error.
    """

    partial: Partial | None

    def __new__(cls, hits: Iterable[Hit] = (), partial: Partial | None = None) -> "Hits":
        """Make the hits of a query."""
        made = super().__new__(cls, hits)
        made.partial = partial
        return made


@dataclass(frozen=True)
class SearchResult:
    """The hits of one picture, or the reason why it could not be searched.

    Attributes
    ----------
    query : str
        The path as given.
    seconds : float
        Share of the run's time.
    hits : tuple of Hit
    reason : str or None
        Why it could not be searched.
    note : str or None
        Why there can be no hits: it shows nothing.
    partial : Partial or None
        What the answer leaves out, where a deadline was given; None if all entries were asked.
    """

    query: str
    seconds: float = 0.0
    hits: tuple[Hit, ...] = ()
    reason: str | None = None
    note: str | None = None
    partial: Partial | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        if self.reason is not None:
            return {"query": self.query, "status": "failed", "reason": self.reason}
        hits = [hit.as_dict() for hit in self.hits]
        values: dict[str, Any] = {
            "query": self.query,
            "seconds": round(self.seconds, 4),
            "hits": hits,
        }
        if self.partial is not None:
            values |= {"partial": self.partial.as_dict()}
        return values | ({"note": self.note} if self.note else {})


@dataclass(frozen=True)
class Problem:
    """Something that an archive's verification found."""

    id: str | None
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {"id": self.id, "problem": self.message}


@dataclass(frozen=True)
class Imported:
    """What became of the rows of a file.

    Attributes
    ----------
    imported, skipped : int
        Rows recorded, and rows that were there already.
    problems : tuple of Problem
        Rows left out, with the reason.
    """

    imported: int
    skipped: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Verification:
    """What a verification looked at, and what it found."""

    entries: int
    files: int
    problems: tuple[Problem, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or math.isinf(value) else round(value, digits)
