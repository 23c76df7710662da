"""Pairs of entries that resemble each other, compared by their previews."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from homing.archive.hits import RecordedPicture
from homing.archive.previews.store import PreviewStore
from homing.archive.query.snapshot import Snapshot
from homing.errors import PictureError
from homing.evidence import ComparableQuery, ComparableRecord
from homing.images.preview import read_preview
from homing.search.background import nearest_background
from homing.search.engines.combined import Probes
from homing.search.false_alarms import near_duplicate_limit
from homing.search.surroundings import NEIGHBOURS, Surroundings, surroundings_of_first

MOST_COMPARED = 64
"""Most pairs that a calibration compares at first, and once more of the next neighbours."""

_ROUNDS = 4  # near-duplicates of one entry that are looked for
_LOWER, _UPPER = 0.25, 0.5  # quantiles of a first fit, which few near-duplicates are among
_SHARE = 0.02  # of first neighbours that previews are to decide on


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """Verdict on two entries, as on a hit of a search."""

    verdict: str | None  # as of a hit; None if they could not be compared
    reason: str  # what it rests on, or why they could not be compared

    @property
    def is_copy(self) -> bool | None:
        """Whether one is a copy of the other; None if they could not be compared."""
        return None if self.verdict is None else self.verdict in ("file", "copy")


class PreviewPairs:
    """Pairs of a snapshot's entries, to be compared by their previews."""

    def __init__(self, snapshot: Snapshot, store: PreviewStore) -> None:
        self._snapshot = snapshot
        self._store = store

    def compare(self, pairs: NDArray[np.int64]) -> list[PairVerdict]:
        """Compare the entries of each pair, (n, 2)."""
        recorded = self._snapshot.pictures(pairs.ravel())
        previews = self._store.find([each.preview for each in recorded])
        with ThreadPoolExecutor() as pool:
            columns = (recorded[::2], recorded[1::2], previews[::2], previews[1::2])
            return list(pool.map(_compared, *columns))


def _compared(
    one: RecordedPicture, other: RecordedPicture, first: bytes | str, second: bytes | str
) -> PairVerdict:
    files = {one.source_sha256, one.file_sha256} & {other.source_sha256, other.file_sha256}
    if files:
        return PairVerdict("file", "of one file, byte for byte")
    try:
        query, record = (read_preview(_there(each)) for each in (first, second))
    except PictureError as error:
        return PairVerdict(None, str(error))
    found = ComparableQuery(query).compare(ComparableRecord(record))
    return PairVerdict(found.kind, found.reason)


def _there(preview: bytes | str) -> bytes:
    if isinstance(preview, str):
        raise PictureError(preview)
    return preview


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest neighbours of n entries; the similarity of those to be ignored is −inf."""

    entries: NDArray[np.int64]  # (n,) positions
    positions: NDArray[np.int64]  # (n, k)
    similarity: NDArray[np.float32]  # (n, k)
    among: NDArray[np.float32]  # (n, k, k), of the neighbours to each other
    background: NDArray[np.float32]  # (n, b), of each entry to other pictures

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        entries: NDArray[np.int64],
        others: NDArray[np.float32],
        probes: Probes,
    ) -> "Neighbours":
        """Find the neighbours of entries, themselves ignored; `others` are of the background."""
        matches = snapshot.neighbours(entries, k=NEIGHBOURS, probes=probes, among=True)
        assert matches.among is not None
        own = matches.positions == entries[:, None]
        similarity = np.where(own, np.float32(-np.inf), matches.similarity)
        background = nearest_background(snapshot.vectors(entries), others, NEIGHBOURS)
        return cls(entries, matches.positions, similarity, matches.among, background)

    @classmethod
    def joined(cls, parts: Sequence["Neighbours"]) -> "Neighbours":
        """Join those of several groups of entries."""
        columns = ([getattr(part, each.name) for part in parts] for each in fields(cls))
        return cls(*map(np.concatenate, columns))

    def take(self, rows: NDArray[np.int64]) -> "Neighbours":
        """Return those of some of the entries."""
        return Neighbours(*(getattr(self, each.name)[rows] for each in fields(self)))

    def around_first(self) -> Surroundings:
        """Return what surrounds the first neighbour of each entry."""
        return surroundings_of_first(self.similarity, self.among, self.background)

    def with_any(self) -> "Neighbours":
        """Return those of the entries that have a neighbour."""
        return self.take(np.flatnonzero(np.isfinite(self.similarity).any(axis=1)))

    def without_duplicates(self, pairs: PreviewPairs | None) -> "Neighbours":
        """Return the neighbours that are no near-duplicates, of the entries that have any.

        A first neighbour may be a duplicate if it is as similar as one of ten such archives would
        show by chance, or stands out as one of fifty does. Previews then decide, of a sample spread
        evenly over how far they stand out; others are taken to be as the pair compared that is next
        to them in that. Without previews those that are as similar, or stand out as much, as one of
        ten archives would show are duplicates. With one go all that are as similar; then the next
        neighbour is looked at.
        """
        limit = near_duplicate_limit(self.similarity)
        judge = _Judge(pairs)
        rest = self.with_any()
        for _ in range(_ROUNDS):
            if not len(rest.entries):
                break
            around = rest.around_first()
            contrast: NDArray[np.float64] = np.nan_to_num(around.contrast(around.usual))
            alike = rest.similarity.max(axis=1) >= limit
            surely = alike | (contrast >= _by_chance(contrast))
            likely = contrast >= _sometimes(contrast)
            rows = np.flatnonzero(surely if pairs is None else surely | likely)
            rows = rows[judge.are_copies(rest, rows, contrast[rows], surely[rows])]
            if not len(rows):
                break
            mask = np.zeros(rest.similarity.shape, np.bool_)
            mask[rows] = rest.similarity[rows] >= limit
            mask[rows, rest.similarity[rows].argmax(axis=1)] = True
            rest = rest.ignoring(mask)
        return rest

    def ignoring(self, mask: NDArray[np.bool_]) -> "Neighbours":
        """Return the entries that have neighbours left without those of a mask, (n, k)."""
        similarity = np.where(mask, np.float32(-np.inf), self.similarity)
        return replace(self, similarity=similarity).with_any()


def _by_chance(contrast: NDArray[np.float64]) -> float:
    return near_duplicate_limit(contrast[:, None].astype(np.float32))


def _sometimes(contrast: NDArray[np.float64]) -> float:
    """Return the contrast that one of fifty first neighbours would reach by chance.

    The fit rests on the lower half, so that it holds where nearly half have duplicates; for a limit
    without previews it is too rough.
    """
    lower, upper = -np.log1p(-np.minimum(np.quantile(contrast, [_LOWER, _UPPER]), 1 - 1e-9))
    slope = max(float(upper - lower), 1e-3) / math.log((1 - _LOWER) / (1 - _UPPER))
    return -math.expm1(-(float(lower) + slope * math.log((1 - _LOWER) / _SHARE)))


class _Judge:
    """Judge of pairs that may be copies: some are compared, the others go by these."""

    def __init__(self, pairs: PreviewPairs | None) -> None:
        self._pairs = pairs
        self._compared: list[tuple[float, bool | None]] = []  # contrast, and whether a copy

    def are_copies(
        self,
        neighbours: Neighbours,
        rows: NDArray[np.int64],
        contrast: NDArray[np.float64],
        otherwise: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Return whether the first neighbours of the entries in some rows are copies of them.

        `otherwise` is what holds without previews.
        """
        if self._pairs is None or not len(rows):
            return otherwise
        left = max(0, 2 * MOST_COMPARED - len(self._compared))
        spread = np.linspace(0, len(rows) - 1, min(len(rows), left, MOST_COMPARED)).round()
        sample = np.argsort(contrast, kind="stable")[spread.astype(np.int64)]
        first = neighbours.similarity[rows[sample]].argmax(axis=1)
        others = neighbours.positions[rows[sample], first]
        compared = self._pairs.compare(np.stack([neighbours.entries[rows[sample]], others], 1))
        verdicts = (each.is_copy for each in compared)
        self._compared += zip(contrast[sample].tolist(), verdicts, strict=True)
        self._compared.sort(key=lambda each: each[0])
        places = np.array([place for place, _ in self._compared])
        next_to = np.searchsorted((places[1:] + places[:-1]) / 2, contrast)
        nearest = [self._compared[place][1] for place in next_to.tolist()]
        return np.array(
            [o if v is None else v for v, o in zip(nearest, otherwise.tolist(), strict=True)],
            np.bool_,
        )
