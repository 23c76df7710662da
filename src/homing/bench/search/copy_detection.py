"""Copy detection: one list of all queries' predictions, scored as DISC21 does.

A score is the similarity less the mean similarity of the query to its three nearest pictures of a
normalisation set that is in neither the base nor the queries: SSCD's published setting [1]_. A
query that resembles everything (a flat or a busy one) thereby needs more similarity to stand out.
For a query that shows nothing at all nothing is predicted, whatever the descriptor or hash: a
search refuses it (:func:`homing.images.shows_nothing`; PDQ's authors discard such hashes for their
quality).

References
----------
.. [1] E. Pizzi et al. "A Self-Supervised Descriptor for Image Copy Detection". CVPR 2022.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.search.exact import nearest_entries
from homing.bench.statistics.bootstrap import Interval
from homing.bench.statistics.measures import (
    average_precision,
    recall_at_false_alarms,
    recall_at_precision,
)

PREDICTIONS = 10  # of each query that enter the list
NEIGHBOURS = 3  # of the normalisation set
_DRAWS = 300  # bootstrap resamples of µAP, each of which sorts all predictions

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DetectionQueries:
    """Queries of copy detection: copies of pictures in the base, and of other pictures."""

    vectors: Vectors  # (n, d)
    same: list[Rows]  # rows that show the same: right answers, or near duplicates if unmatched
    matched: Flags  # (n,), the base holds the query's picture
    picture: Rows  # (n,), numbered apart for matched and for unmatched queries
    blank: Flags  # (n,), the query shows nothing
    normalisation: Vectors  # (m, d), pictures that scores are normalised by


@dataclass(frozen=True, eq=False)
class Predictions:
    """The nearest entries of queries, labelled right or wrong."""

    rows: Rows  # (n, k)
    similarity: Floats  # (n, k); −inf for blank queries
    norm: Floats  # (n,), mean similarity to the nearest normalisation pictures
    right: Flags  # (n, k), the most similar right entry of each matched query
    counted: Flags  # (n, k); False for further right entries and for near duplicates
    matched: Flags  # (n,), the base holds the query's picture
    picture: Rows  # (n,), numbered apart for matched and for unmatched queries
    blank: Flags  # (n,), the query shows nothing


def predict(
    queries: DetectionQueries, base: Vectors, generator: np.random.Generator
) -> Predictions:
    """Search the base, (m, d), exactly; `generator` draws among equal similarities."""
    rows, similarity = nearest_entries(queries.vectors, base, PREDICTIONS, generator)
    return label_predictions(rows, similarity, queries, generator)


def label_predictions(
    rows: Rows, similarity: Vectors, queries: DetectionQueries, generator: np.random.Generator
) -> Predictions:
    """Label the entries returned, (n, k) with the most similar first, as right or wrong.

    Where a search returned no more, the row is -1 and the similarity -inf: a prediction that no
    threshold lets through.
    """
    same = np.zeros(rows.shape, dtype=bool)
    for query, each in enumerate(queries.same):
        same[query] = np.isin(rows[query], each)
    first = np.cumsum(same, axis=1) == 1
    right = same & first & (queries.matched & ~queries.blank)[:, None]
    return Predictions(
        rows=rows,
        similarity=np.where(queries.blank[:, None], -np.inf, similarity.astype(np.float64)),
        norm=_query_norms(queries, generator),
        right=right,
        counted=right | ~same,
        matched=queries.matched,
        picture=queries.picture,
        blank=queries.blank,
    )


def _query_norms(queries: DetectionQueries, generator: np.random.Generator) -> Floats:
    """Mean similarity of each query to its nearest pictures of the normalisation set, (n,)."""
    _, near = nearest_entries(queries.vectors, queries.normalisation, NEIGHBOURS, generator)
    return near.astype(np.float64).mean(axis=1) if near.shape[1] else np.zeros(len(near))


@dataclass(frozen=True)
class Scores:
    """Copy detection by one way of scoring."""

    micro_average_precision: Interval
    recall_at_precision_90: float
    recall_at_false_alarms_1e3: float
    recall_at_false_alarms_1e4: float


@dataclass(frozen=True)
class CopyDetection:
    """Figures of randomly edited copies among queries without a match."""

    copies: int  # queries with a match
    others: int  # queries without a match
    left_out: (
        int  # further ones, whose predictions are all near duplicates: neither right nor wrong
    )
    blank: int  # queries of both kinds that show nothing: never found, never a false alarm
    normalised: Scores  # by similarity less the query's norm
    raw: Scores  # by similarity alone


def score_predictions(found: Predictions, generator: np.random.Generator) -> CopyDetection:
    """Compute the figures of copy detection; `generator` resamples pictures for the intervals."""
    raw = found.similarity
    state = generator.bit_generator.state
    scores = []
    for values in (raw - found.norm[:, None], raw):
        generator.bit_generator.state = state  # the same resamples for both
        scores.append(_scores(values, found, generator))
    others = _others(found)
    copies = int(found.matched.sum())
    return CopyDetection(
        copies,
        int(others.sum()),
        len(found.matched) - copies - int(others.sum()),
        int(found.blank.sum()),
        *scores,
    )


def _others(found: Predictions) -> Flags:
    """Queries without a match that could raise a false alarm.

    Those whose predictions are all near duplicates could not.
    """
    return ~found.matched & found.counted.any(axis=1)


def _scores(values: Floats, found: Predictions, generator: np.random.Generator) -> Scores:
    flat, flat_right = values[found.counted], found.right[found.counted]
    positives, others = int(found.matched.sum()), _others(found)
    masked = np.where(found.counted, values, -np.inf)
    query, top = np.arange(len(masked)), masked.argmax(axis=1)
    best, right = masked[query, top], found.right[query, top]
    at = [
        recall_at_false_alarms(best[found.matched], right[found.matched], best[others], rate)
        for rate in (1e-3, 1e-4)
    ]
    samples = [_resampled(values, found, generator) for _ in range(_DRAWS)]
    low, high = np.percentile(samples, [2.5, 97.5])
    return Scores(
        Interval(average_precision(flat, flat_right, positives), float(low), float(high)),
        recall_at_precision(flat, flat_right, positives, 0.9),
        *at,
    )


def _resampled(values: Floats, found: Predictions, generator: np.random.Generator) -> float:
    """µAP of pictures drawn with replacement: as many with a match, and as many without."""
    weights = np.zeros(len(values), np.int64)
    for group in (found.matched, ~found.matched):
        pictures, place = np.unique(found.picture[group], return_inverse=True)
        if len(pictures):
            drawn = generator.multinomial(len(pictures), np.full(len(pictures), 1 / len(pictures)))
            weights[group] = drawn[place]
    chosen = np.repeat(np.arange(len(values)), weights)
    counted: Flags = found.counted[chosen]
    return average_precision(
        values[chosen][counted],
        found.right[chosen][counted],
        int(found.matched[chosen].sum()),
    )
