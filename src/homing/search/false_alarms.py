"""False-alarm rates: how often a query without a match reaches a similarity.

The meaning of a cosine of 0.8 depends on the archive, on its pictures and their number. The highest
similarity that queries *without* a match reach is therefore observed, and its tail fitted. Vectors
fill a space of some dimension, so the share of entries within a small distance of a point falls as
a power of that distance; as the squared distance of unit vectors is 2 (1 − s), the tail is

    P(highest similarity ≥ s)  =  p_u · ((1 − s) / (1 − u)) ^ κ        for s above a threshold u

with half of the intrinsic dimension near the data as κ. In −log(1 − s) that is an exponential
tail, and its maximum-likelihood fit to peaks over a threshold is Hill's estimator [1]_ (of the
generalised Pareto distribution with the known endpoint at similarity 1: a free endpoint was
observed to be fitted below similarities that occur, and a Gumbel tail in s to call nothing a copy).
κ is lowered by its standard error, so that uncertainty counts against a verdict.

References
----------
.. [1] B. M. Hill. "A Simple General Approach to Inference About the Tail of a Distribution".
       Annals of Statistics 3 (1975).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from homing.errors import UsageError

LEAST_BACKGROUND = 200
"""Least number of queries without a match that a tail is fitted to."""

_PEAKS, _PEAK_SHARE = 50, 0.1  # peaks over the threshold: their least number and usual share
_BODY = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)  # rates whose similarity is stored

_FAR = 100  # how many times rarer than one of the queries observed a rate may be reported
_SURELY_COPIES = 0.97  # similarity of copies of one picture in any archive
_MIDDLE, _UPPER = 0.5, 0.8  # quantiles of a first fit, which few near-duplicates do not reach
_CAUTION = 0.8  # factor that lowers the first fit's exponent
_EXPECTED = 0.1  # background queries expected beyond the limit of near-duplicates


@dataclass(frozen=True)
class Tail:
    """Distribution of the highest similarity that a query without a match reaches."""

    threshold: float  # u: the similarity above which the tail is fitted
    share: float  # p_u: the share of queries above it
    exponent: float  # κ
    body: tuple[tuple[float, float], ...]  # falling rates, with the similarity that each reaches
    entries: int  # number that the queries were compared with
    queries: int

    @property
    def least(self) -> float:
        """Least rate to report; below it no observation supports the tail."""
        return 1 / (_FAR * self.queries)

    def rate(
        self, similarity: ArrayLike, *, entries: float | NDArray[np.float32], views: int = 1
    ) -> NDArray[np.float64]:
        """Return the share of queries without a match that have a hit as similar, in [0, 1].

        Chances grow with the `entries` searched, and with the number of `views`, which count as
        independent; turned views of one picture are less than that.
        """
        values = np.atleast_1d(np.asarray(similarity, dtype=np.float64))
        rates, places = np.array(self.body).T
        log_body = np.interp(values, places, np.log(rates))
        beyond = np.clip((1 - values) / (1 - self.threshold), 1e-300, 1.0)
        log_tail = math.log(self.share) + self.exponent * np.log(beyond)
        once = np.exp(np.where(values > self.threshold, log_tail, log_body))
        chances = views * entries / self.entries
        # 1 − (1 − p) ^ chances, exactly also for tiny p.
        with np.errstate(divide="ignore"):
            found: NDArray[np.float64] = -np.expm1(chances * np.log1p(-np.minimum(once, 1.0)))
        return found

    def similarity(self, rate: float) -> float:
        """Return the similarity that a share of the queries observed reaches; `rate` in (0, 1)."""
        if rate < self.share:
            return 1 - (1 - self.threshold) * math.pow(rate / self.share, 1 / self.exponent)
        rates, places = np.array(self.body[::-1]).T
        return float(np.interp(math.log(rate), np.log(rates), places))


def fit_tail(highest: ArrayLike, *, entries: int) -> Tail:
    """Fit the tail to the highest similarity, (b,), of each query without a match.

    `entries` is the number that each was compared with. Fewer than :data:`LEAST_BACKGROUND` queries
    are a `UsageError`.
    """
    values = np.sort(np.asarray(highest, dtype=np.float64))
    count = len(values)
    if count < LEAST_BACKGROUND or entries < 1:
        raise UsageError(
            f"at least {LEAST_BACKGROUND} pictures that match nothing are needed to tell copies "
            f"from chance, not {count}"
        )
    peaks = max(_PEAKS, round(_PEAK_SHARE * count))
    threshold = float(np.clip(values[-peaks - 1], -1.0, 1 - 1e-6))
    excess = np.log((1 - threshold) / np.maximum(1 - values[-peaks:], 1e-6))
    exponent = (1 - 1 / math.sqrt(peaks)) / max(float(excess.mean()), 1e-3)
    share = peaks / count
    body = [(rate, float(np.quantile(values, 1 - rate))) for rate in _BODY if rate > share]
    return Tail(threshold, share, exponent, (*body, (share, threshold)), entries, count)


def near_duplicate_limit(similarity: NDArray[np.float32]) -> float:
    """Return the similarity from which entries are near-duplicates.

    `similarity`, (b, c), is of each background query to its c nearest entries, itself excluded;
    −inf where there are no more. Near-duplicates stand out from a first, robust fit: one
    background query in ten runs would be expected as high.
    """
    highest = _highest_below(similarity, _SURELY_COPIES)
    if len(highest) < 2:
        return _SURELY_COPIES
    middle, upper = np.quantile(highest, [_MIDDLE, _UPPER]).astype(float)
    slope = math.log((1 - middle) / (1 - upper)) if upper > middle else 0.0
    exponent = _CAUTION * math.log((1 - _MIDDLE) / (1 - _UPPER)) / max(slope, 1e-3)
    reached = _EXPECTED / len(highest) / (1 - _MIDDLE)
    limit = float(1 - (1 - middle) * reached ** (1 / exponent))
    return min(limit, _SURELY_COPIES)


def _highest_below(similarity: NDArray[np.float32], limit: float) -> NDArray[np.float32]:
    """Return the highest of each row that is below a limit, where there is one."""
    highest = np.where(similarity < limit, similarity, -np.inf).max(axis=1, initial=-np.inf)
    found: NDArray[np.float32] = highest[np.isfinite(highest)]
    return found
