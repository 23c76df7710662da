"""Calibrations are made: by searches for entries, or for pictures that match nothing."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.previews.store import PreviewStore
from homing.archive.query.calibration import Calibration
from homing.archive.query.near_duplicates import Neighbours, PreviewPairs
from homing.archive.query.queries import DescribedQuery, describe_queries
from homing.archive.query.snapshot import Snapshot
from homing.archive.settings import ArchiveSettings
from homing.errors import UsageError
from homing.options import UPRIGHT, VIEWS, Limits, SearchOptions
from homing.search.background import load_background, nearest_background
from homing.search.false_alarms import LEAST_BACKGROUND, Tail, fit_tail
from homing.search.surroundings import NEIGHBOURS, ContrastTail, Surroundings, surroundings

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

_log = logging.getLogger(__name__)

_MOST_QUERIES = 5000  # entries searched for: seconds among a million
_AT_ONCE = 512


def calibrate(
    snapshot: Snapshot,
    settings: ArchiveSettings,
    previews: PreviewStore,
    strangers: "Strangers | None" = None,
) -> Calibration:
    """Calibrate an archive on pictures that match nothing, or else on its entries."""
    _log.info("calibrating %d entries", len(snapshot))
    others = load_background(settings.descriptor_fingerprint, settings.dimension)
    if strangers is None:
        return calibrate_on_entries(snapshot, others=others, previews=previews)
    return calibrate_on_pictures(snapshot, strangers=strangers, others=others)


def calibrate_on_entries(
    snapshot: Snapshot, *, others: NDArray[np.float32], previews: PreviewStore | None = None
) -> Calibration:
    """Calibrate on entries, each searched for among the others without its near-duplicates.

    Pairs that are similar enough to be near-duplicates are compared by their previews, a sample of
    them where there are many. `others` are vectors of further pictures. Raises `UsageError` if too
    few entries resemble no other.
    """
    count = min(len(snapshot), _MOST_QUERIES)
    chosen = np.random.default_rng(0).choice(len(snapshot), count, replace=False)
    if not count:
        _fit((), snapshot)  # which says so
    probes = snapshot.stages(None)[-1].probes
    parts = [
        Neighbours.of(snapshot, chosen[first : first + _AT_ONCE], others, probes)
        for first in range(0, count, _AT_ONCE)
    ]
    pairs = None if previews is None else PreviewPairs(snapshot, previews)
    rest = Neighbours.joined(parts).without_duplicates(pairs)
    tail = _fit(rest.similarity.max(axis=1, initial=-np.inf), snapshot)
    contrast = ContrastTail.fit(rest.around_first())
    contrasts = {} if contrast is None else {UPRIGHT: contrast}
    return Calibration("entries", {UPRIGHT: tail}, contrasts, others)


@dataclass(frozen=True, eq=False)
class Strangers:
    """Pictures that an archive holds no copy of, described in all views."""

    queries: tuple[DescribedQuery, ...]
    unreadable: int  # number of further files


def describe_strangers(
    descriptor: "Descriptor",
    paths: Sequence[Path],
    limits: Limits,
    progress: Callable[[int], None] | None = None,
) -> Strangers:
    """Describe pictures that match nothing; `progress` gets the number done since the last call."""
    queries: list[DescribedQuery] = []
    for batch in describe_queries(descriptor, paths, SearchOptions(views="all", limits=limits)):
        queries += [query for _, query in batch if isinstance(query, DescribedQuery)]
        if progress is not None:
            progress(len(batch))
    return Strangers(tuple(queries), len(paths) - len(queries))


def calibrate_on_pictures(
    snapshot: Snapshot, *, strangers: Strangers, others: NDArray[np.float32]
) -> Calibration:
    """Calibrate on pictures that match nothing, for each set of views separately: on all of them.

    Raises `UsageError` if there are too few pictures, or no entries.
    """
    try:
        return Calibration("pictures", *_tails(snapshot, strangers.queries, others), others)
    except UsageError as error:
        if count := strangers.unreadable:
            raise UsageError(f"{error} ({count} of the files cannot be read)") from error
        raise


def _tails(
    snapshot: Snapshot, queries: Sequence[DescribedQuery], others: NDArray[np.float32]
) -> tuple[dict[str, Tail], dict[str, ContrastTail]]:
    highest: dict[str, list[float]] = {views: [] for views in VIEWS}
    first_hits: dict[str, list[Surroundings]] = {views: [] for views in VIEWS}
    for query in queries:
        if not query.views:
            continue
        matches = snapshot.search(
            query.vectors,
            k=NEIGHBOURS,
            probes=snapshot.stages(None)[-1].probes,
            rerank=SearchOptions.rerank,
            among=True,
        )
        assert matches.among is not None
        background = nearest_background(query.vectors, others, NEIGHBOURS)
        around = surroundings(matches.similarity, matches.among, background)
        for views, count in zip(VIEWS, (1, 8, len(query.vectors)), strict=True):
            alike = matches.similarity[:count]
            row, place = np.unravel_index([int(alike.argmax())], alike.shape)
            highest[views].append(float(alike[row[0], place[0]]))
            first_hits[views].append(around.take((row, place)))
    tails = {views: _fit(found, snapshot) for views, found in highest.items()}
    fitted = {
        views: ContrastTail.fit(Surroundings.joined(found)) for views, found in first_hits.items()
    }
    contrasts = {views: contrast for views, contrast in fitted.items() if contrast is not None}
    return tails, contrasts if UPRIGHT in contrasts else {}


def _fit(highest: Any, snapshot: Snapshot) -> Tail:
    if len(highest) < LEAST_BACKGROUND:
        raise UsageError(
            f"a verdict by similarity takes at least {LEAST_BACKGROUND} unrelated pictures, and "
            f"here are {len(highest)}: add more to the archive, or name a folder of others"
        )
    return fit_tail(highest, entries=len(snapshot))
