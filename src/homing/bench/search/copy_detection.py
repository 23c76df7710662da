"""Copies told from other pictures: one list of all queries' predictions, scored as DISC21 does.

A score is the similarity less the mean similarity of the query to its three nearest pictures of a
normalisation set that is in neither the base nor the queries: SSCD's published setting [1]_. A
query that resembles everything (a flat or a busy one) thereby needs more similarity to stand out.
Of one that shows nothing at all nothing is predicted, whatever the descriptor or hash: a search
refuses it (:func:`homing.images.shows_nothing`; PDQ's authors discard such hashes for their
quality).

References
----------
.. [1] E. Pizzi et al. "A Self-Supervised Descriptor for Image Copy Detection". CVPR 2022.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.search.exact import nearest
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
class Detection:
    """The queries of copy detection.

    Attributes
    ----------
    queries : ndarray, shape (n, d), float32
        Copies of pictures of the base, and of pictures that are not in it.
    known : list of ndarray of int64
        For each the rows that show the same: of a matched one the right answers, of another one
        its picture's twins.
    matched : ndarray, shape (n,), bool
        Whether the base holds the query's picture.
    picture : ndarray, shape (n,), int64
        Which picture each is a copy of; numbers of matched and of other queries are apart.
    blank : ndarray, shape (n,), bool
        Which show nothing, so that nothing is predicted of them.
    scale : ndarray, shape (m, d), float32
        What scores are normalised by.
    """

    queries: Vectors
    known: list[Rows]
    matched: Flags
    picture: Rows
    blank: Flags
    scale: Vectors


@dataclass(frozen=True, eq=False)
class Predictions:
    """The nearest entries of queries, judged.

    Attributes
    ----------
    rows : ndarray, shape (n, k), int64
    similarity : ndarray, shape (n, k), float64
    norm : ndarray, shape (n,), float64
        Mean similarity of the query to its nearest pictures of the normalisation set.
    right : ndarray, shape (n, k), bool
        The most similar right entry of each query that has a match.
    counted : ndarray, shape (n, k), bool
        False for further right entries of the same query, and for the true twins of a picture that
        is not in the base: neither right nor wrong.
    matched : ndarray, shape (n,), bool
        Whether the base holds the query's picture.
    picture : ndarray, shape (n,), int64
        Which picture each query is a copy of; numbers of matched and of other queries are apart.
    blank : ndarray, shape (n,), bool
        Queries that show nothing: their similarities are −inf.
    """

    rows: Rows
    similarity: Floats
    norm: Floats
    right: Flags
    counted: Flags
    matched: Flags
    picture: Rows
    blank: Flags


def predict(asked: Detection, base: Vectors, generator: np.random.Generator) -> Predictions:
    """Search for copies of pictures that are in the base and of pictures that are not.

    Parameters
    ----------
    asked : Detection
    base : ndarray, shape (m, d), float32
    generator : numpy.random.Generator
        Draws among equal similarities.

    Returns
    -------
    Predictions
    """
    rows, similarity = nearest(asked.queries, base, PREDICTIONS, generator)
    return judge(rows, similarity, norms(asked.queries, asked.scale, generator), asked)


def norms(queries: Vectors, normalisation: Vectors, generator: np.random.Generator) -> Floats:
    """Mean similarity of each query to its nearest pictures of the normalisation set, (n,)."""
    _, close = nearest(queries, normalisation, NEIGHBOURS, generator)
    return close.astype(np.float64).mean(axis=1) if close.shape[1] else np.zeros(len(queries))


def judge(rows: Rows, similarity: Vectors, norm: Floats, asked: Detection) -> Predictions:
    """Tell which of the entries returned are right.

    Parameters
    ----------
    rows : ndarray, shape (n, k), int64
        Most similar first; -1 where the search brought no more.
    similarity : ndarray, shape (n, k), float32
        -inf where there is no entry: a prediction that no threshold lets through.
    norm : ndarray, shape (n,), float64
    asked : Detection

    Returns
    -------
    Predictions
    """
    same = np.zeros(rows.shape, dtype=bool)
    for query, each in enumerate(asked.known):
        same[query] = np.isin(rows[query], each)
    right = same & (np.cumsum(same, axis=1) == 1) & (asked.matched & ~asked.blank)[:, None]
    told = np.where(asked.blank[:, None], -np.inf, similarity.astype(np.float64))
    counted = right | ~same
    return Predictions(rows, told, norm, right, counted, asked.matched, asked.picture, asked.blank)


@dataclass(frozen=True)
class Scores:
    """Copy detection at one way of scoring."""

    micro_average_precision: Interval
    recall_at_precision_90: float
    recall_at_false_alarms_1e3: float
    recall_at_false_alarms_1e4: float


@dataclass(frozen=True)
class CopyDetection:
    """Randomly edited copies among queries without a match.

    Attributes
    ----------
    copies, others : int
        Queries with a match and without.
    left_out : int
        Further queries without a match, all of whose predictions are twins: what they would be
        taken for is not known, so they are no part of the rates of false alarms.
    blank : int
        Queries, of both kinds, that show nothing: never found, and never a false alarm.
    normalised, raw : Scores
        By similarity less the query's norm, and by similarity alone.
    """

    copies: int
    others: int
    left_out: int
    blank: int
    normalised: Scores
    raw: Scores


def detect_copies(found: Predictions, generator: np.random.Generator) -> CopyDetection:
    """Take the figures of copy detection.

    Parameters
    ----------
    found : Predictions
    generator : numpy.random.Generator
        Of the bootstrap over pictures.

    Returns
    -------
    CopyDetection
    """
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
    """Queries without a match that could raise a false alarm: not all their predictions twins."""
    return ~found.matched & found.counted.any(axis=1)


def _scores(values: Floats, found: Predictions, generator: np.random.Generator) -> Scores:
    flat, right = values[found.counted], found.right[found.counted]
    positives, others = int(found.matched.sum()), _others(found)
    masked = np.where(found.counted, values, -np.inf)
    query, top = np.arange(len(masked)), masked.argmax(axis=1)
    best, answered = masked[query, top], found.right[query, top]
    at = [
        recall_at_false_alarms(best[found.matched], answered[found.matched], best[others], rate)
        for rate in (1e-3, 1e-4)
    ]
    samples = [_resampled(values, found, generator) for _ in range(_DRAWS)]
    low, high = np.percentile(samples, [2.5, 97.5])
    return Scores(
        Interval(average_precision(flat, right, positives), float(low), float(high)),
        recall_at_precision(flat, right, positives, 0.9),
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
