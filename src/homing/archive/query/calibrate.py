"""Calibrating: what similarities queries without a match reach in this archive.

The background is the archive's own entries, each searched for among all the others, its
near-duplicates left aside: they are what the archive's pictures are like, which no set of vectors
that ships with homing could know. Pictures of one's own that match nothing do better, since they
are like the queries to come and can be looked at in all views.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.query.calibration import Calibration
from homing.archive.query.search import DescribedQuery, look_at_all
from homing.archive.query.snapshot import Snapshot
from homing.errors import UsageError
from homing.options import UPRIGHT, VIEWS, Limits, SearchOptions
from homing.search import LEAST_BACKGROUND, Tail, fit_tail, highest_background

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

_MOST_QUERIES = 5000  # entries searched for: seconds among a million
_NEIGHBOURS = 16  # of which near-duplicates are left aside
_AT_ONCE = 512
_GROWTH = 1.5  # times the entries, after which a calibration is made again


def calibrate_on_entries(snapshot: Snapshot) -> Calibration:
    """Calibrate on entries, each searched for among the others.

    Raises
    ------
    UsageError
        There are too few that resemble no other.
    """
    count = min(len(snapshot), _MOST_QUERIES)
    chosen = np.random.default_rng(0).choice(len(snapshot), count, replace=False)
    parts = [
        _nearest_others(snapshot, chosen[first : first + _AT_ONCE])
        for first in range(0, count, _AT_ONCE)
    ]
    nearest = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
    tail = _fitted(highest_background(nearest), snapshot)
    return Calibration("entries", {UPRIGHT: tail})


def _nearest_others(snapshot: Snapshot, positions: NDArray[np.int64]) -> NDArray[np.float32]:
    """Similarities of entries to the nearest others, falling."""
    probes = snapshot.probe_stages()[-1]
    matches = snapshot.neighbours(positions, k=_NEIGHBOURS + 1, probes=probes)
    alike = matches.similarity.copy()
    alike[matches.positions == positions[:, None]] = -np.inf
    found: NDArray[np.float32] = -np.sort(-alike, axis=1)
    return found


@dataclass(frozen=True, eq=False)
class Strangers:
    """Pictures that an archive holds no copy of.

    Attributes
    ----------
    looked : tuple of DescribedQuery
        Each with the views of "all".
    unread : int
        How many more could not be read.
    """

    looked: tuple[DescribedQuery, ...]
    unread: int


def look_at_strangers(
    descriptor: "Descriptor",
    paths: Sequence[Path],
    limits: Limits,
    progress: Callable[[int], None] | None = None,
) -> Strangers:
    """Describe pictures that match nothing, in all views.

    Parameters
    ----------
    descriptor : Descriptor
    paths : sequence of Path
    limits : Limits
    progress : callable or None
        Called with the number of pictures looked at since the last call.
    """
    looked: list[DescribedQuery] = []
    for batch in look_at_all(descriptor, paths, SearchOptions(views="all", limits=limits)):
        looked += [query for _, query in batch if isinstance(query, DescribedQuery)]
        if progress is not None:
            progress(len(batch))
    return Strangers(tuple(looked), len(paths) - len(looked))


def calibrate_on_pictures(snapshot: Snapshot, strangers: Strangers) -> Calibration:
    """Calibrate on pictures that match nothing, for each set of views by itself.

    Raises
    ------
    UsageError
        There are too few, or nothing to compare them with.
    """
    try:
        return Calibration("pictures", _tails(snapshot, strangers.looked))
    except UsageError as error:
        if strangers.unread:
            raise UsageError(f"{error} ({strangers.unread} of the files cannot be read)") from error
        raise


def _tails(snapshot: Snapshot, looked: Sequence[DescribedQuery]) -> dict[str, Tail]:
    highest: dict[str, list[NDArray[np.float32]]] = {views: [] for views in VIEWS}
    for query in looked:
        if not query.views:
            continue
        matches = snapshot.search(
            query.vectors,
            k=_NEIGHBOURS,
            probes=snapshot.probe_stages()[-1],
            rerank=SearchOptions.rerank,
        )
        for views, count in zip(VIEWS, (1, 8, len(query.vectors)), strict=True):
            alike = matches.similarity[:count].reshape(1, -1)
            highest[views].append(-np.sort(-alike, axis=1)[:, :_NEIGHBOURS])
    return {
        views: _fitted(highest_background(np.concatenate(found)) if found else (), snapshot)
        for views, found in highest.items()
    }


def _fitted(highest: Any, snapshot: Snapshot) -> Tail:
    if len(highest) < LEAST_BACKGROUND:
        raise UsageError(
            f"a verdict takes at least {LEAST_BACKGROUND} pictures that match nothing; here there "
            f"are {len(highest)}: add more to the archive, or name a folder of others"
        )
    return fit_tail(highest, entries=len(snapshot))


def outgrown(calibration: Calibration | None, entries: int) -> bool:
    """Whether a calibration is to be made, or made again."""
    if calibration is None:
        return entries >= LEAST_BACKGROUND
    return entries >= _GROWTH * calibration.entries
