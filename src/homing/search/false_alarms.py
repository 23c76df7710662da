"""Similarity as a false-alarm rate: how often a query without a match would look as alike.

What a cosine of 0.8 means depends on the archive: on what its pictures show and on how many there
are. The highest similarity that queries *without* a match reach is therefore observed, and its
tail fitted. Vectors fill a space of some dimension, so the share of entries within a small
distance of a point falls as a power of that distance; as the squared distance of unit vectors is
2 (1 − s), the tail is

    P(highest similarity ≥ s)  =  p_u · ((1 − s) / (1 − u)) ^ κ        for s above a threshold u

with a half of the intrinsic dimension near the data as κ. In −log(1 − s) that is an exponential
tail, and its maximum-likelihood fit to peaks over a threshold is Hill's estimator [1]_ (of the
generalised Pareto distribution with the endpoint at similarity 1, which is known and need not be
estimated: a free endpoint was observed to be fitted below similarities that occur, and a
Gumbel tail in s to call nothing a copy). κ is lowered by its standard error, so that what is
uncertain counts against a verdict.

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
"""Queries without a match that a tail is fitted to, at least."""

_PEAKS, _PEAK_SHARE = 50, 0.1  # peaks over the threshold: their least number and usual share
_BODY = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)  # rates whose similarity is kept

_FAR = 100  # times the queries observed: how rare an event may be told from them
_SURELY_COPIES = 0.97  # of one picture, whatever the archive
_MIDDLE, _UPPER = 0.5, 0.8  # quantiles of a first fit, which few near-duplicates do not reach
_CAUTION = 0.8  # by which the first fit's exponent is lowered
_EXPECTED = 0.1  # background queries beyond what counts as a near-duplicate


@dataclass(frozen=True)
class Tail:
    """Distribution of the highest similarity that a query without a match reaches.

    Attributes
    ----------
    threshold : float
        u: the similarity above which the tail is fitted.
    share : float
        p_u: the share of queries above it.
    exponent : float
        κ.
    body : tuple of (float, float)
        Rates, falling, with the similarity that this share of queries reaches.
    entries : int
        How many entries the queries were compared with.
    queries : int
        How many queries there were.
    """

    threshold: float
    share: float
    exponent: float
    body: tuple[tuple[float, float], ...]
    entries: int
    queries: int

    @property
    def least(self) -> float:
        """Least rate that may be told: a hundredth of what one of the queries observed stands for.

        The tail goes on beyond; nothing that was observed says that it is still the same there.
        """
        return 1 / (_FAR * self.queries)

    def rate(self, similarity: ArrayLike, *, entries: int, views: int = 1) -> NDArray[np.float64]:
        """False-alarm rate a query, for verdicts at that similarity.

        Parameters
        ----------
        similarity : array_like
            Of hits.
        entries : int
            How many entries were searched: chances grow with them.
        views : int
            How many independent looks the query had; as if independent, which turned views of
            one picture are less than.

        Returns
        -------
        array, float64
            In [0, 1]: the share of queries without a match that have any hit as similar.
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
        """Similarity that this share of queries without a match reaches, among the entries of then.

        Parameters
        ----------
        rate : float
            In (0, 1).
        """
        if rate < self.share:
            return 1 - (1 - self.threshold) * math.pow(rate / self.share, 1 / self.exponent)
        rates, places = np.array(self.body[::-1]).T
        return float(np.interp(math.log(rate), np.log(rates), places))


def fit_tail(highest: ArrayLike, *, entries: int) -> Tail:
    """Fit the tail to what background queries have reached.

    Parameters
    ----------
    highest : array_like (b,)
        Highest similarity of each of at least :data:`LEAST_BACKGROUND` queries without a match.
    entries : int
        How many entries each was compared with.

    Raises
    ------
    UsageError
        There are too few.
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


def highest_background(similarity: NDArray[np.float32]) -> NDArray[np.float32]:
    """Highest similarity of each query to what is no near-duplicate of it.

    Near-duplicates stand out from a first, robust fit: of the background, one query in ten runs
    would be expected as high.

    Parameters
    ----------
    similarity : array (b, c), float32
        Of each background query to its c nearest entries, itself not among them, falling; −inf
        where there are no more.

    Returns
    -------
    array (≤ b,), float32
        Queries with nothing but near-duplicates among their nearest are left out.
    """
    highest = _below(similarity, _SURELY_COPIES)
    if len(highest) < 2:
        return highest
    middle, upper = np.quantile(highest, [_MIDDLE, _UPPER]).astype(float)
    slope = math.log((1 - middle) / (1 - upper)) if upper > middle else 0.0
    exponent = _CAUTION * math.log((1 - _MIDDLE) / (1 - _UPPER)) / max(slope, 1e-3)
    reached = _EXPECTED / len(highest) / (1 - _MIDDLE)
    limit = 1 - (1 - middle) * reached ** (1 / exponent)
    return _below(similarity, min(limit, _SURELY_COPIES))


def _below(similarity: NDArray[np.float32], limit: float) -> NDArray[np.float32]:
    """Highest of each row that is below a limit, where there is one."""
    kept = np.where(similarity < limit, similarity, -np.inf).max(axis=1, initial=-np.inf)
    found: NDArray[np.float32] = kept[np.isfinite(kept)]
    return found


def in_words(rate: float, *, bound: bool = False) -> str:
    """A rate as people say it: "1 in 12,000 queries".

    Parameters
    ----------
    rate : float
        Above 0.
    bound : bool
        Whether the rate is lower still, and by how much cannot be told.
    """
    if rate >= 0.5:
        return "more often than not"
    words = f"1 in {_round_number(1 / rate):,} queries"
    return f"less than {words}, as far as this archive can tell" if bound else words


def _round_number(value: float) -> int:
    unit = int(10 ** max(0, math.floor(math.log10(value)) - 1))
    return round(value / unit) * unit
