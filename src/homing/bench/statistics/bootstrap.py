"""Means over pictures with their 95 % intervals, by bootstrap over the pictures."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]
_BLOCK = 100  # draws at a time


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % interval; NaN where nothing was measured."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Resampled:
    """Means over pictures, and the same means over resampled pictures.

    Two of them, made with generators in the same state, have the same draws: differences and ratios
    of their samples are paired.
    """

    means: Floats  # (rows,); NaN where nothing was measured
    samples: Floats  # (draws, rows)

    def interval(self, row: int) -> Interval:
        """Return a row's mean with its percentile interval."""
        return make_interval(float(self.means[row]), self.samples[:, row])

    def over(self, rows: Array) -> tuple[float, Floats]:
        """Return the mean of some rows' means, and its samples, (draws,)."""
        return _mean(self.means[rows]), _row_means(self.samples[:, rows])


def resample(values: Floats, generator: np.random.Generator, *, draws: int = 2000) -> Resampled:
    """Draw pictures with replacement, all rows of a picture together.

    `values` is (rows, pictures), NaN where nothing was measured. The edits of one picture succeed
    and fail together.
    """
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    pictures = values.shape[1]
    found = []
    for first in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - first)
        weights = generator.multinomial(pictures, np.full(pictures, 1 / pictures), size=size)
        found.append(_ratio(weights @ filled.T, weights @ known.T.astype(np.float64)))
    means = _ratio(filled.sum(axis=1), known.sum(axis=1))
    return Resampled(means, np.concatenate(found))


def bootstrap_means(
    values: Floats,
    counted: npt.NDArray[np.bool_],
    generator: np.random.Generator,
    *,
    draws: int = 2000,
) -> tuple[list[Interval], Interval]:
    """Return intervals of each row's mean over pictures, and of the mean of `counted` rows.

    `values` is (rows, pictures), NaN where an edit could not be made; `counted` is (rows,).
    """
    found = resample(values, generator, draws=draws)
    return [found.interval(row) for row in range(len(values))], make_interval(*found.over(counted))


def _ratio(sums: Array, counts: Array) -> Floats:
    found = np.full(sums.shape, np.nan)
    np.divide(sums, counts, out=found, where=counts > 0)
    return found


def _mean(values: Floats) -> float:
    return float(_row_means(values[None])[0])


def _row_means(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


def make_interval(mean: float, samples: Floats) -> Interval:
    """Give a figure the 95 % interval of its samples; NaN among them are ignored."""
    samples = samples[~np.isnan(samples)]
    if not len(samples):
        return Interval(float(mean), float("nan"), float("nan"))
    low, high = np.percentile(samples, [2.5, 97.5])
    return Interval(float(mean), float(low), float(high))
