"""Surroundings of hits: how far a hit stands out from everything else that resembles the query.

A similarity that means a copy among photographs means nothing among pages of print, which all
resemble each other. The measure is therefore relative to the surroundings. If the pictures without
a match lay evenly around a query, with 2 κ as their dimension, then the nearest of them, at
similarity s, would be as far ahead of the next one, at t, with the probability

    P  =  ((1 − s) / (1 − t)) ^ κ

however dense they are: the ratio of distances that tells right matches of local features from
chance [1]_. 1/κ is the mean difference, in log(1 − similarity), of the nearest pictures to the
last of them [2]_. With so few it is uncertain, so that a fifth of it is what is usual in the
archive.

References
----------
.. [1] D. Lowe. "Distinctive Image Features from Scale-Invariant Keypoints". IJCV 60 (2004).
.. [2] E. Levina, P. Bickel. "Maximum Likelihood Estimation of Intrinsic Dimension". NIPS 2004.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from homing.errors import UsageError
from homing.search.false_alarms import Tail, fit_tail

Floats = NDArray[np.float32]

NEIGHBOURS = 33
"""Number of entries found for a query, and of pictures of the background, that are looked at."""

_MEASURED = 10  # first hits whose surroundings are measured; no later one is surer
_AROUND = 32  # nearest of all these that the surroundings of a hit consist of
_LEAST = 4  # fewer say nothing about the spacing
_ONE_PLACE = 0.5  # of the query's distance to a hit: entries as near to the hit count with it
_NEAREST = 1e-6  # least 1 − similarity: half precision knows no less
_OWN = 0.8  # share of a hit's own spacing; the rest is the archive's
_DIMENSION = 0.1  # 1/κ of the space that contrasts are stated for


@dataclass(frozen=True, eq=False)
class Surroundings:
    """Surroundings of each of a query's hits; arrays of the shape of the hits."""

    lead: Floats  # log((1 − t) / (1 − s)) to the nearest other picture; NaN if there is none
    spacing: Floats  # 1/κ; NaN if there are too few to tell
    entries: Floats  # share of entries among all that surrounds the hit, itself included

    @property
    def usual(self) -> float:
        """Median of the spacing; that of one dimension if it is not known."""
        known = self.spacing[np.isfinite(self.spacing)]
        return float(np.median(known)) if len(known) else _DIMENSION

    def contrast(self, usual: float) -> NDArray[np.float64]:
        """Return how far each hit stands out, below 1: the share of the distance to the next one.

        It is stated as in a space of one dimension everywhere; `usual` is the archive's spacing. A
        hit that is not nearer than another picture has 0 or less.
        """
        spacing = np.where(np.isnan(self.spacing), usual, _OWN * self.spacing + (1 - _OWN) * usual)
        lead = self.lead.astype(np.float64) * (_DIMENSION / np.maximum(spacing, 1e-3))
        return -np.expm1(np.clip(-lead, -700, 700))

    def take(self, order: NDArray[np.int64] | tuple[NDArray[np.int64], ...]) -> "Surroundings":
        """Return those of some hits, by their places."""
        return self._each(lambda values: values[order])

    def rows(self, rows: slice, width: int) -> "Surroundings":
        """Return those of some rows, one after the other, unknown beyond the hits measured."""
        lacking = ((0, 0), (0, width - self.lead.shape[1]))
        return self._each(lambda v: np.pad(v[rows], lacking, constant_values=np.nan).ravel())

    def _each(self, change: Callable[[Floats], Floats]) -> "Surroundings":
        return Surroundings(*(change(getattr(self, each.name)) for each in fields(self)))

    @staticmethod
    def joined(parts: Sequence["Surroundings"]) -> "Surroundings":
        """Join those of several lists of hits."""
        columns = ([getattr(part, each.name) for part in parts] for each in fields(Surroundings))
        return Surroundings(*map(np.concatenate, columns))


@dataclass(frozen=True)
class ContrastTail:
    """Distribution of the contrast that the first hit of a query without a match has."""

    usual: float  # spacing
    tail: Tail

    @classmethod
    def fit(cls, observed: Surroundings) -> "ContrastTail | None":
        """Fit to the first hits, (b,), of queries without a match; None if too little is known."""
        known = np.isfinite(observed.lead)
        usual = observed.usual
        try:  # contrast does not depend on the number of entries
            return cls(usual, fit_tail(observed.contrast(usual)[known], entries=1))
        except UsageError:
            return None

    def rate(
        self, hits: Surroundings, chances: float | NDArray[np.float32] = 1.0
    ) -> NDArray[np.float64]:
        """Return the share of queries without a match whose first hit stands out as far; or NaN.

        `chances` is a factor, such as the number of views, which count as independent.
        """
        known = np.isfinite(hits.lead)
        contrast = np.where(known, hits.contrast(self.usual), 0)
        return np.where(known, self.tail.rate(contrast, entries=chances), np.nan)


def surroundings(similarity: Floats, among: Floats, background: Floats) -> Surroundings:
    """Return what surrounds the first hits, at most ten, of n queries.

    `similarity` is (n, k), −inf where there is no hit; `among`, (n, k, k), that of the hits to each
    other; `background`, (n, b), that of other pictures to the query. Entries that lie much nearer
    to the hit than the query does count with it as one: its near-duplicates do not crowd it.
    """
    first = np.arange(min(_MEASURED, similarity.shape[1]))
    return _around(np.tile(first, (len(similarity), 1)), similarity, among, background)


def surroundings_of_first(similarity: Floats, among: Floats, background: Floats) -> Surroundings:
    """Return what surrounds the most similar hit of each query, (n,), in whatever order they are.

    Each query must have one.
    """
    found = _around(similarity.argmax(axis=1)[:, None], similarity, among, background)
    return found.take((np.arange(len(similarity)), np.zeros(len(similarity), np.int64)))


def _around(
    hits: NDArray[np.int64], similarity: Floats, among: Floats, background: Floats
) -> Surroundings:
    """Return what surrounds the hits at these places, (n, h)."""
    rows = np.arange(len(hits))[:, None]
    there = np.isfinite(similarity[rows, hits])
    own = np.where(there, np.maximum(1 - similarity[rows, hits], _NEAREST), 1.0)
    apart = 1 - among[rows, hits] >= _ONE_PLACE * own[..., None]
    apart &= np.arange(similarity.shape[1]) != hits[..., None]
    others = np.where(apart, similarity[:, None], -np.inf)
    beside = np.broadcast_to(background[:, None], (*hits.shape, background.shape[1]))
    nearest = -np.sort(-np.concatenate([others, beside], axis=2), axis=2)[..., :_AROUND]
    least = nearest.min(axis=2, initial=2)
    entries = (np.isfinite(others) & (others >= least[..., None])).sum(axis=2)
    return _measured(own, nearest, there, entries)


def _measured(
    own: Floats, nearest: Floats, there: NDArray[np.bool_], entries: NDArray[np.int64]
) -> Surroundings:
    """Measure hits, (n, h), by their 1 − similarity and the similarity of what is around them."""
    known = np.isfinite(nearest)
    count = known.sum(axis=2)
    logs = np.log(np.maximum(1 - np.where(known, nearest, 0), _NEAREST))
    ahead = logs[..., 0] - np.log(own) if logs.shape[2] else np.zeros(own.shape, np.float32)
    last = np.where(known, logs, -np.inf).max(axis=2, initial=-np.inf)
    total = np.where(known, last[..., None] - logs, 0).sum(axis=2)
    lead = np.where(there & (count > 0), ahead, np.nan)
    spacing = np.where(there & (count >= _LEAST), total / np.maximum(count - 2, 1), np.nan)
    columns = (lead, spacing, (entries + 1) / (count + 1))
    return Surroundings(*(values.astype(np.float32) for values in columns))
