"""Duplicates: entries of an archive that are copies of each other.

Each entry's neighbours are looked at, the most similar first, while one stands out as few would by
chance. They are compared by their previews; without, they go by their similarity, at its rate.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.query.calibration import Calibration
from homing.archive.query.near_duplicates import Neighbours, PreviewPairs
from homing.archive.query.snapshot import Snapshot
from homing.archive.query.verdict import Verdict
from homing.errors import UsageError
from homing.options import UPRIGHT, SearchOptions

_AT_ONCE = 512  # entries whose neighbours are compared together
# Neighbours of an entry that are no copies, after which no further one is compared.
_MOST_UNLIKE = 2
_BY_CHANCE = 0.1  # share of entries without a duplicate of which a neighbour is compared


@dataclass(frozen=True)
class Duplicate:
    """Entry of a group, and what makes it one.

    Similarity and verdict, as of a hit, are those to `copy_of`, another entry of the group. The
    first entry has those of a copy of it.
    """

    id: str
    similarity: float
    state: str  # "released" or "added"
    copy_of: str | None  # id; None of the first entry
    verdict: str | None  # "file" or "copy"; None if similarity alone decided
    reason: str  # what the verdict rests on, or why the two were not compared
    by_similarity: Verdict  # all None if the two were compared

    def as_dict(self) -> dict[str, Any]:
        """Return the object in a ``--json`` line."""
        rate = self.by_similarity.false_alarm_rate
        return {
            "id": self.id,
            "similarity": round(self.similarity, 5),
            "state": self.state,
            "copy_of": self.copy_of,
            "verdict": self.verdict,
            "reason": self.reason,
            "false_alarm_rate": None if rate is None else float(f"{rate:.3g}"),
            "rate_is_bound": self.by_similarity.rate_is_bound,
            "rate_is_provisional": self.by_similarity.rate_is_provisional,
        }


@dataclass(frozen=True)
class Group:
    """Entries that are copies of each other, in the order recorded."""

    entries: tuple[Duplicate, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {"entries": [entry.as_dict() for entry in self.entries]}


class Duplicates(tuple[Group, ...]):
    """Groups of copies, in the order of their first entries: a tuple that says what was compared.

    Attributes
    ----------
    compared : int
        Pairs of pictures that were compared.
    undecided : int
        Those of them with too little detail to tell; they are in no group.
    by_similarity : int
        Pairs without previews that went by their similarity.
    unknown : int
        Pairs without previews, in an archive whose similarities have no rate; they are in no group.
    """

    compared: int
    undecided: int
    by_similarity: int
    unknown: int

    def __new__(
        cls,
        groups: Iterable[Group] = (),
        *,
        compared: int = 0,
        undecided: int = 0,
        by_similarity: int = 0,
        unknown: int = 0,
    ) -> "Duplicates":
        """Make the groups found."""
        made = super().__new__(cls, groups)
        made.compared, made.undecided = compared, undecided
        made.by_similarity, made.unknown = by_similarity, unknown
        return made


@dataclass(frozen=True, eq=False)
class SimilarityRule:
    """Judgement of pairs by similarity: which may be copies, and are without previews.

    A `similarity` that is given replaces the calibration. `UsageError` if one is out of range.
    """

    calibration: Calibration | None  # None: nothing is known
    rate: float = SearchOptions.rate  # most false alarms per entry
    similarity: float | None = None

    def __post_init__(self) -> None:
        SearchOptions(rate=self.rate)
        if self.similarity is not None and not -1 <= self.similarity <= 1:
            raise UsageError(f"the similarity must be between -1 and 1, not {self.similarity:g}")

    def may_be_copies(self, neighbours: Neighbours, entries: int) -> NDArray[np.bool_]:
        """Return which first neighbours are to be compared, in an archive of `entries`."""
        similarity: NDArray[np.float32] = neighbours.similarity.max(axis=1)
        if self.similarity is not None:
            return np.greater_equal(similarity, self.similarity)
        known = self.calibration
        if known is None:
            return np.ones(len(similarity), np.bool_)
        # The similarity of copies that crowd each other counts, even if none of them stands out.
        rates = known.tails[UPRIGHT].rate(similarity, entries=entries)
        if known.contrasts:
            stands_out = known.contrasts[UPRIGHT].rate(neighbours.around_first())
            rates = np.fmin(rates, stands_out)
        return np.less_equal(rates, _BY_CHANCE)

    def verdict(self, similarity: float, entries: int) -> Verdict:
        """Return the verdict on a pair without previews."""
        if self.similarity is not None:
            return Verdict(is_copy=similarity >= self.similarity)
        known = self.calibration
        if known is None:
            return Verdict()
        (rate,) = known.tails[UPRIGHT].rate(similarity, entries=entries).tolist()
        return known.verdict(rate, most=self.rate)


def find_duplicates(
    snapshot: Snapshot,
    pairs: PreviewPairs,
    rule: SimilarityRule,
    progress: Callable[[int], None] | None = None,
) -> Duplicates:
    """Compare each entry with its neighbours, and group copies.

    A copy of a copy is in the group, too. `progress` is called with the number of entries done
    since the last call.
    """
    search = _Search(snapshot, pairs, rule)
    for first in range(0, len(snapshot), _AT_ONCE):
        entries = np.arange(first, min(first + _AT_ONCE, len(snapshot)))
        search.look_at(entries)
        if progress is not None:
            progress(len(entries))
    return search.found()


@dataclass(frozen=True)
class _Link:
    """Two entries, by their positions, that are copies of each other."""

    one: int
    other: int
    similarity: float
    verdict: str | None
    reason: str
    by_similarity: Verdict


class _Search:
    """Search for duplicates: what is known of the entries so far."""

    def __init__(self, snapshot: Snapshot, pairs: PreviewPairs, rule: SimilarityRule) -> None:
        self._snapshot, self._pairs, self._rule = snapshot, pairs, rule
        self._parent = np.arange(len(snapshot))
        # Entries that each was compared with in vain, −1 for none.
        self._unlike = np.full((len(snapshot), _MOST_UNLIKE), -1, np.int64)
        self._links: list[_Link] = []
        self._counts: defaultdict[str, int] = defaultdict(int)

    def look_at(self, entries: NDArray[np.int64]) -> None:
        """Compare entries with their neighbours, all with the first one, then with the next."""
        known = self._rule.calibration
        others = None if known is None else known.others
        if others is None:
            others = np.empty((0, self._snapshot.vectors(entries[:1]).shape[1]), np.float32)
        probes = self._snapshot.probes()
        rest = Neighbours.of(self._snapshot, entries, others, probes).with_any()
        while len(rest.entries):
            rest = rest.take(np.flatnonzero(self._rule.may_be_copies(rest, len(self._snapshot))))
            first = rest.similarity.argmax(axis=1)[:, None]
            self._decide(
                rest.entries,
                np.take_along_axis(rest.positions, first, axis=1)[:, 0],
                np.take_along_axis(rest.similarity, first, axis=1)[:, 0],
            )
            mask = np.zeros(rest.similarity.shape, np.bool_)
            np.put_along_axis(mask, first, values=True, axis=1)
            mask[(self._unlike[rest.entries] >= 0).all(axis=1)] = True
            rest = rest.ignoring(mask)

    def _decide(
        self, ones: NDArray[np.int64], others: NDArray[np.int64], similarity: NDArray[np.float32]
    ) -> None:
        """Decide on pairs of which nothing is known."""
        new: dict[tuple[int, int], float] = {}
        for one, other, alike in zip(
            ones.tolist(), others.tolist(), similarity.tolist(), strict=True
        ):
            if _root(self._parent, one) == _root(self._parent, other):
                continue
            if one in self._unlike[other]:
                self._set_unlike(one, other)
            elif (other, one) not in new:
                new[one, other] = alike
        if not new:
            return
        compared = self._pairs.compare(np.array(list(new)))
        for ((one, other), alike), pair in zip(new.items(), compared, strict=True):
            by_similarity = Verdict()
            is_copy = pair.is_copy
            if is_copy is None:
                by_similarity = self._rule.verdict(alike, len(self._snapshot))
                is_copy = by_similarity.is_copy
            self._count(pair.verdict, is_copy)
            if is_copy:
                link = _Link(one, other, alike, pair.verdict, pair.reason, by_similarity)
                self._links += [link] if _join(self._parent, one, other) else []
            else:
                self._set_unlike(one, other)

    def _count(self, verdict: str | None, is_copy: bool | None) -> None:
        if verdict is not None:
            self._counts["compared"] += 1
            self._counts["undecided"] += verdict == "undecided"
        else:
            self._counts["unknown" if is_copy is None else "by_similarity"] += 1

    def _set_unlike(self, one: int, other: int) -> None:
        (free,) = np.nonzero(self._unlike[one] < 0)
        self._unlike[one, free[:1]] = other

    def found(self) -> Duplicates:
        """Return the groups, with what was compared."""
        links: defaultdict[int, list[_Link]] = defaultdict(list)
        for link in self._links:
            links[_root(self._parent, link.one)].append(link)
        groups = (_group(self._snapshot, first, links[first]) for first in sorted(links))
        return Duplicates(groups, **self._counts)


def _group(snapshot: Snapshot, first: int, links: list[_Link]) -> Group:
    """Return the group of a first entry that links reach from it, each once."""
    beside: defaultdict[int, list[tuple[int, _Link]]] = defaultdict(list)
    for link in links:
        beside[link.one].append((link.other, link))
        beside[link.other].append((link.one, link))
    reached: dict[int, tuple[int | None, _Link]] = {first: (None, beside[first][0][1])}
    waiting = [first]
    while waiting:
        here = waiting.pop()
        for there, link in beside[here]:
            if there not in reached:
                reached[there] = (here, link)
                waiting.append(there)
    places = sorted(reached)
    named = dict(zip(places, snapshot.ids_and_states(places), strict=True))
    entries = []
    for place, (name, state) in named.items():
        other, link = reached[place]
        copy_of = None if other is None else named[other][0]
        facts = (link.verdict, link.reason, link.by_similarity)
        entries.append(Duplicate(name, link.similarity, state, copy_of, *facts))
    return Group(tuple(entries))


def _root(parent: NDArray[np.int64], position: int) -> int:
    while parent[position] != position:
        parent[position] = parent[parent[position]]
        position = int(parent[position])
    return position


def _join(parent: NDArray[np.int64], one: int, other: int) -> bool:
    """Join the groups of two entries, the root being the first; False if they are one already."""
    first, last = sorted((_root(parent, one), _root(parent, other)))
    parent[last] = first
    return first != last
