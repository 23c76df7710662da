"""Near duplicates: entries of an archive that are copies of each other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.query.calibration import Calibration
from homing.archive.query.snapshot import Snapshot
from homing.errors import UsageError
from homing.options import UPRIGHT, SearchOptions

_AT_ONCE = 512  # entries searched for together
_NEIGHBOURS = 17  # of an entry, itself among them


@dataclass(frozen=True)
class Duplicate:
    """Entry of a group."""

    id: str
    similarity: float  # to the most similar other one
    state: str  # "released" or "added"


@dataclass(frozen=True)
class Group:
    """Entries that are copies of each other, in the order recorded."""

    entries: tuple[Duplicate, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {
            "entries": [
                {"id": entry.id, "similarity": round(entry.similarity, 5), "state": entry.state}
                for entry in self.entries
            ]
        }


@dataclass(frozen=True, eq=False)
class CopyThreshold:
    """Threshold from which entries count as copies; `UsageError` if it is out of range."""

    calibration: Calibration | None  # None only if a similarity is given
    rate: float  # most false alarms per entry
    similarity: float | None = None  # if given, it decides, whatever the calibration

    def __post_init__(self) -> None:
        SearchOptions(rate=self.rate)
        if self.similarity is not None and not -1 <= self.similarity <= 1:
            raise UsageError(f"the similarity must be between -1 and 1, not {self.similarity:g}")

    def are_copies(self, values: NDArray[np.float32], entries: int) -> NDArray[np.bool_]:
        """Return a mask of the similarities that copies have, in an archive of `entries`."""
        if self.similarity is not None:
            return values >= self.similarity
        assert self.calibration is not None
        return self.calibration.tails[UPRIGHT].rate(values, entries=entries) <= self.rate


def duplicate_groups(
    snapshot: Snapshot, threshold: CopyThreshold, progress: Callable[[int], None] | None = None
) -> list[Group]:
    """Search for every entry among all, and group copies, in the order of their first entries.

    A copy of a copy is in the group, too. `progress` is called with the number of entries searched
    for since the last call.
    """
    count = len(snapshot)
    parent = np.arange(count)
    highest = np.full(count, -np.inf, np.float32)
    for first in range(0, count, _AT_ONCE):
        entries = np.arange(first, min(first + _AT_ONCE, count))
        for one, other, similarity in _pairs(snapshot, entries, threshold):
            _join(parent, one, other)
            highest[one] = max(highest[one], similarity)
            highest[other] = max(highest[other], similarity)
        if progress is not None:
            progress(len(entries))
    members: dict[int, list[int]] = {}
    for position in np.flatnonzero(np.isfinite(highest)).tolist():
        members.setdefault(_root(parent, position), []).append(position)
    return [_group(snapshot, positions, highest) for positions in members.values()]


def _pairs(
    snapshot: Snapshot, entries: NDArray[np.int64], threshold: CopyThreshold
) -> list[tuple[int, int, float]]:
    """Return pairs of entries that are copies of each other, with their similarity."""
    matches = snapshot.neighbours(entries, k=_NEIGHBOURS, probes=snapshot.probes())
    copies = threshold.are_copies(matches.similarity, len(snapshot)) & (matches.positions >= 0)
    copies &= matches.positions != entries[:, None]
    rows, places = np.nonzero(copies)
    columns = (entries[rows], matches.positions[rows, places], matches.similarity[rows, places])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _group(snapshot: Snapshot, positions: list[int], highest: NDArray[np.float32]) -> Group:
    named = zip(positions, snapshot.ids_and_states(positions), strict=True)
    return Group(
        tuple(Duplicate(name, float(highest[place]), state) for place, (name, state) in named)
    )


def _root(parent: NDArray[np.int64], position: int) -> int:
    while parent[position] != position:
        parent[position] = parent[parent[position]]
        position = int(parent[position])
    return position


def _join(parent: NDArray[np.int64], one: int, other: int) -> None:
    """Join the groups of two entries; the root is the first entry."""
    first, last = sorted((_root(parent, one), _root(parent, other)))
    parent[last] = first
