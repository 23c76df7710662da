"""The figures: recall among equals, average precision, recall at a false-alarm rate, spread.

Pure NumPy on scores and places. Wherever entries or predictions have equal scores (hashes have many
of them) no order among them is assumed: recall is the mean chance over all orders, and precision is
taken only between groups of equal scores.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_ROUNDING = 1e-9  # mends products such as 0.001 · 1000 that fall short of a whole number


@dataclass(frozen=True, eq=False)
class Places:
    """Position of the best right entry of each query in the ordered base; int64 arrays, (n,)."""

    greater: Integers  # entries more similar than the best right one
    equal: Integers  # entries exactly as similar, right ones included
    right: Integers  # right ones among the equal; 0 where the base holds none at all


def recall(places: Places, k: int) -> Floats:
    """Chance that a right entry is among the first `k`, over all orders of equal entries, (n,).

    With g more similar, e equal, r of them right, and m = min(k − g, e) places left for the equal,
    it is 1 − C(e − r, m) / C(e, m); for k = 1 and g = 0 simply r / e.
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
    """Mean of 1/rank of the first right entry, over all orders of equal entries, (n,)."""
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
    """Precision and recall at each distinct score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    hits = np.cumsum(right[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)) if len(order) else order
    return hits[last] / (last + 1), hits[last] / max(positives, 1)


def average_precision(scores: Floats, right: npt.NDArray[np.bool_], positives: int) -> float:
    """Micro average precision (µAP): one list of all queries' predictions, as DISC21 scores [1]_.

    Σ (R_i − R_{i−1}) · P_i over the distinct scores in falling order; in [0, 1]. `positives` is the
    number of right predictions that could be made.

    References
    ----------
    .. [1] M. Douze et al. "The 2021 Image Similarity Dataset and Challenge". arXiv:2106.09672.
    """
    precision, recalled = precision_recall(scores, right, positives)
    return float(np.sum(np.diff(recalled, prepend=0.0) * precision))


def recall_at_precision(
    scores: Floats, right: npt.NDArray[np.bool_], positives: int, precision: float
) -> float:
    """Largest recall of any threshold whose precision is at least `precision`; 0 if none has it."""
    found, recalled = precision_recall(scores, right, positives)
    return float(recalled[found >= precision].max(initial=0.0))


def is_measurable(rate: float, total: int) -> bool:
    """Return whether a share `rate` of `total` values is at least one value.

    With fewer the threshold would be the largest value, and stand for a share of about 1 / total.
    """
    return rate * total + _ROUNDING >= 1


def upper_value(values: Floats, rate: float, total: int | None = None) -> float:
    """Least threshold that at most a share `rate` of the values is above; −∞ without values.

    It is the (⌊rate · total⌋ + 1)-th largest: `values` may be only that many of the `total`.
    """
    if not len(values):
        return float("-inf")
    above = int(rate * (len(values) if total is None else total) + _ROUNDING)
    place = len(values) - 1 - min(above, len(values) - 1)
    return float(np.partition(values, place)[place])


def recall_at_false_alarms(
    copies: Floats, right: npt.NDArray[np.bool_], others: Floats, rate: float
) -> float:
    """Share of copies answered rightly above the threshold that a share of other queries exceeds.

    `copies` and `others` are the best scores of queries with a match (−∞ without a prediction) and
    without; `right` says whether a copy's best prediction is right. NaN without copies, or with too
    few others for the rate.
    """
    if not len(copies) or not is_measurable(rate, len(others)):
        return float("nan")
    return float(np.mean(right & (copies > upper_value(others, rate))))


@dataclass(frozen=True)
class Spread:
    """Distribution of a quantity over files."""

    mean: float
    least: float
    tenth: float
    median: float
    ninetieth: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """Describe finite values; NaN if there are none."""
    finite = np.array([each for each in values if math.isfinite(each)])
    if not len(finite):
        return Spread(*[float("nan")] * 6)
    low, middle, high = np.percentile(finite, [10, 50, 90]).tolist()
    return Spread(float(finite.mean()), float(finite.min()), low, middle, high, float(finite.max()))
