"""The figures: recall among equals, average precision, recall at a false-alarm rate.

Pure NumPy on scores and places. Wherever entries or predictions have equal scores (hashes have many
of them) no order among them is assumed: recall is the mean chance over all orders, and precision
is taken only between groups of equal scores.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_ROUNDING = 1e-9  # mends products such as 0.001 · 1000 that fall short of a whole number


@dataclass(frozen=True, eq=False)
class Places:
    """Where the best right entry of each query stands in the ordered base.

    Attributes
    ----------
    greater : ndarray, shape (n,), int64
        Entries more similar than the best right one.
    equal : ndarray, shape (n,), int64
        Entries exactly as similar, right ones included.
    right : ndarray, shape (n,), int64
        Right ones among the equal; 0 where the base holds none at all.
    """

    greater: Integers
    equal: Integers
    right: Integers


def recall(places: Places, k: int) -> Floats:
    """Chance that a right entry is among the first `k`, over all orders of equal entries.

    With g more similar, e equal, r of them right, and m = min(k − g, e) places left for the equal,
    it is 1 − C(e − r, m) / C(e, m); for k = 1 and g = 0 simply r / e.

    Parameters
    ----------
    places : Places
    k : int
        At least 1.

    Returns
    -------
    ndarray, shape (n,), float64
        In [0, 1].
    """
    room = np.clip(k - places.greater, 0, places.equal)
    missed = np.ones(len(room))
    # C(e − r, m) / C(e, m) as a product of m factors: chance that each place goes to a wrong one.
    for place in range(int(room.max(initial=0))):
        left = np.maximum(places.equal - place, 1)
        wrong = np.maximum(places.equal - places.right - place, 0)
        missed = np.where(place < room, missed * wrong / left, missed)
    return np.where(places.right > 0, 1 - missed, 0.0)


def reciprocal_rank(places: Places) -> Floats:
    """Mean of 1/rank of the first right entry, over all orders of equal entries.

    Parameters
    ----------
    places : Places

    Returns
    -------
    ndarray, shape (n,), float64
        In [0, 1]; 0 where the base holds no right entry.
    """
    found = np.where(places.right > 0, 1 / (places.greater + 1.0), 0.0)
    for query in np.flatnonzero((places.right > 0) & (places.equal > places.right)):
        greater, equal, right = (
            int(v[query]) for v in (places.greater, places.equal, places.right)
        )
        # Chance that the first right one of `equal` stands at each place: not before, and now.
        before = np.arange(equal - right + 1)
        hazard = right / (equal - before)
        unseen = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]])
        found[query] = float(np.sum(unseen * hazard / (greater + before + 1)))
    return found


def precision_recall(
    scores: Floats, right: npt.NDArray[np.bool_], positives: int
) -> tuple[Floats, Floats]:
    """Precision and recall at each distinct score, from the highest down.

    Parameters
    ----------
    scores, right, positives
        As for :func:`average_precision`.

    Returns
    -------
    precision, recall : ndarray, float64
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    hits = np.cumsum(right[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(order) else order
    return hits[last] / (last + 1), hits[last] / max(positives, 1)


def average_precision(scores: Floats, right: npt.NDArray[np.bool_], positives: int) -> float:
    """Micro average precision (µAP): one list of all queries' predictions, as DISC21 scores [1]_.

    Σ (R_i − R_{i−1}) · P_i over the distinct scores in falling order.

    Parameters
    ----------
    scores : ndarray, shape (n,), float64
        Of all predictions.
    right : ndarray, shape (n,), bool
    positives : int
        Right predictions that could be made.

    Returns
    -------
    float
        In [0, 1].

    References
    ----------
    .. [1] M. Douze et al. "The 2021 Image Similarity Dataset and Challenge". arXiv:2106.09672.
    """
    precision, recalled = precision_recall(scores, right, positives)
    return float(np.sum(np.diff(recalled, prepend=0.0) * precision))


def recall_at_precision(
    scores: Floats, right: npt.NDArray[np.bool_], positives: int, precision: float
) -> float:
    """Largest recall of any threshold whose precision is at least `precision`; 0 if none has it.

    Parameters
    ----------
    scores, right, positives
        As for :func:`average_precision`.
    precision : float
        In (0, 1].
    """
    found, recalled = precision_recall(scores, right, positives)
    return float(recalled[found >= precision].max(initial=0.0))


def can_tell(rate: float, total: int) -> bool:
    """Whether so many values can tell what a share `rate` of them is above: one of them at least.

    With fewer the threshold would be the largest value, and stand for a share of about 1 / total.

    Parameters
    ----------
    rate : float
        In [0, 1).
    total : int
    """
    return rate * total + _ROUNDING >= 1


def upper_value(values: Floats, rate: float, total: int | None = None) -> float:
    """Least threshold that at most a share `rate` of the values is above.

    Parameters
    ----------
    values : ndarray, shape (n,), float64
        All values, or at least the ⌊rate · total⌋ + 1 largest.
    rate : float
        In [0, 1).
    total : int, optional
        How many values there are in all; n without it.

    Returns
    -------
    float
        The (⌊rate · total⌋ + 1)-th largest; −∞ where there are no values.
    """
    if not len(values):
        return float("-inf")
    above = int(rate * (len(values) if total is None else total) + _ROUNDING)
    place = len(values) - 1 - min(above, len(values) - 1)
    return float(np.partition(values, place)[place])


def recall_at_false_alarms(
    copies: Floats, right: npt.NDArray[np.bool_], others: Floats, rate: float
) -> float:
    """Share of copies answered rightly above the threshold that `rate` of other queries exceed.

    Parameters
    ----------
    copies : ndarray, shape (n,), float64
        Best score of each query that has a match; −∞ where it has no prediction.
    right : ndarray, shape (n,), bool
        Whether that best prediction is right.
    others : ndarray, shape (m,), float64
        Best score of each query that has none.
    rate : float
        False alarms a query without a match.

    Returns
    -------
    float
        In [0, 1]; NaN without copies, and where m queries cannot tell a rate so small.
    """
    if not len(copies) or not can_tell(rate, len(others)):
        return float("nan")
    return float(np.mean(right & (copies > upper_value(others, rate))))
