"""Duplicates: entries of an archive that are copies of each other."""

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
    """An entry of a group.

    Attributes
    ----------
    id : str
    similarity : float
        To that of the others which it resembles most.
    state : str
        "released" or "added".
    """

    id: str
    similarity: float
    state: str


@dataclass(frozen=True)
class Group:
    """Entries that are copies of each other, in the order recorded."""

    entries: tuple[Duplicate, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {
            "entries": [
                {
                    "id": entry.id,
                    "similarity": round(entry.similarity, 5),
                    "state": entry.state,
                }
                for entry in self.entries
            ]
        }


@dataclass(frozen=True, eq=False)
class Alike:
    """From what similarity on entries count as copies.

    Attributes
    ----------
    calibration : Calibration or None
        Of the archive; None only where a similarity is given.
    rate : float
        False alarms an entry, at most.
    similarity : float or None
        If given, it decides, whatever the calibration.

    Raises
    ------
    UsageError
        One of the two makes no sense.
    """

    calibration: Calibration | None
    rate: float
    similarity: float | None = None

    def __post_init__(self) -> None:
        SearchOptions(rate=self.rate)
        if self.similarity is not None and not -1 <= self.similarity <= 1:
            raise UsageError(f"the similarity must be between -1 and 1, not {self.similarity:g}")

    def copies(self, values: NDArray[np.float32], entries: int) -> NDArray[np.bool_]:
        """Which similarities are those of copies, among so many entries."""
        if self.similarity is not None:
            return values >= self.similarity
        assert self.calibration is not None
        return self.calibration.tails[UPRIGHT].rate(values, entries=entries) <= self.rate


def duplicate_groups(
    snapshot: Snapshot, alike: Alike, progress: Callable[[int], None] | None = None
) -> list[Group]:
    """Search for every entry among all, and put together those that are alike.

    Parameters
    ----------
    snapshot : Snapshot
    alike : Alike
        Which of them are copies.
    progress : callable or None
        Called with the number of entries searched for since the last call.

    Returns
    -------
    list of Group
        In the order of their first entries. Whoever is a copy of a copy is in the group too.
    """
    count = len(snapshot)
    parent = np.arange(count)
    highest = np.full(count, -np.inf, np.float32)
    for first in range(0, count, _AT_ONCE):
        entries = np.arange(first, min(first + _AT_ONCE, count))
        for one, other, similarity in _pairs(snapshot, entries, alike):
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
    snapshot: Snapshot, entries: NDArray[np.int64], alike: Alike
) -> list[tuple[int, int, float]]:
    """Entries and others that are copies of each other, with their similarity."""
    matches = snapshot.neighbours(entries, k=_NEIGHBOURS, probes=snapshot.automatic_probes())
    copies = alike.copies(matches.similarity, len(snapshot)) & (matches.positions >= 0)
    copies &= matches.positions != entries[:, None]
    rows, places = np.nonzero(copies)
    return list(
        zip(
            entries[rows].tolist(),
            matches.positions[rows, places].tolist(),
            matches.similarity[rows, places].tolist(),
            strict=True,
        )
    )


def _group(snapshot: Snapshot, positions: list[int], highest: NDArray[np.float32]) -> Group:
    return Group(
        tuple(
            Duplicate(name, float(highest[position]), state)
            for position, (name, state) in zip(positions, snapshot.named(positions), strict=True)
        )
    )


def _root(parent: NDArray[np.int64], position: int) -> int:
    while parent[position] != position:
        parent[position] = parent[parent[position]]
        position = int(parent[position])
    return position


def _join(parent: NDArray[np.int64], one: int, other: int) -> None:
    """Put two entries in one group, whose root is its first entry."""
    first, last = sorted((_root(parent, one), _root(parent, other)))
    parent[last] = first
