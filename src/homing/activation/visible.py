"""The least visible: a change is scaled down until the file looks enough like its source."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from homing.activation.budget import Coded

_ATTEMPTS = 5
_AIM = 0.15  # above the least score that is aimed at, so that the first hit stays above it
_CLOSE = 1.0  # above the least score that is near enough
_GROWTH = 0.88  # of a change, by what its score lacks of 100
_LEAST_AT_ONCE = 0.3  # of the scale before


def fit_visible(
    code: Callable[[float], Coded],
    score: Callable[[NDArray[np.integer]], float | None],
    *,
    least: float | None,
    largest: float,
) -> tuple[Coded, float | None]:
    """Code a picture with as much of its change as the least score allows, and return the score.

    Parameters
    ----------
    code : callable
        Codes the picture with its change at a scale, or less where its budget wants that.
    score : callable
        Scores the pixels of a file against its source: 100 where nothing is seen, less for more.
    least : float or None
        Least score; None: none.
    largest : float
        Scale that is tried first.

    Returns
    -------
    tuple of Coded and float or None
        The file, and its score: below the least only if coding alone loses more than that.
    """
    best: tuple[Coded, float] | None = None
    below: tuple[float, float] | None = None  # scale, and what the score lacks of 100
    above: tuple[float, float] | None = None
    scale = largest
    for _ in range(_ATTEMPTS):
        coded = code(scale)
        found = score(coded.pixels)
        if least is None or found is None or coded.scale == 0:
            return coded, found
        if found >= least:
            below = coded.scale, 100 - found
            if best is None or coded.scale > best[0].scale:
                best = coded, found
            if above is None or found <= least + _CLOSE:
                return best
        else:
            above = coded.scale, 100 - found
        scale = _next_scale(below, above, 100 - least - _AIM)
    if best is not None:
        return best
    unchanged = code(0.0)
    without = score(unchanged.pixels)
    return (unchanged, without) if without is not None and without > found else (coded, found)


def _next_scale(
    below: tuple[float, float] | None, above: tuple[float, float] | None, lack: float
) -> float:
    """Return the scale at which a score should lack so much of 100."""
    assert above is not None  # nothing seen too much is fitted
    if below is None or below[1] <= 0 or below[0] >= above[0]:
        return float(above[0] * max((lack / above[1]) ** _GROWTH, _LEAST_AT_ONCE))
    # By a straight line between logarithms.
    share = math.log(lack / below[1]) / math.log(above[1] / below[1])
    return float(below[0] * (above[0] / below[0]) ** min(max(share, 0.1), 0.9))
