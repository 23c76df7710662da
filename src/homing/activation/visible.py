"""The least visible: a change is scaled down until the file looks enough like its source."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from homing.activation.budget import NO_PIXELS, Coded

_ATTEMPTS = 5
_LEAST_LACK = 0.01
_AIM = 0.15  # above the least score that is aimed at, so that the first hit stays above it
_CLOSE = 1.0  # above the least score that is near enough
_GROWTH = 0.92  # of a change, by what its score lacks of 100
_ADDED = 2.0  # to what is seen of coding alone, where that is too much by itself
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
        The file, and its score: below the least only if coding alone loses more than that. Its
        pixels are `NO_PIXELS` if they are to be decoded again.
    """
    if least is None:
        coded = code(largest)
        return coded, score(coded.pixels)
    fitting: tuple[Coded, float] | None = None  # of the largest scale
    above: tuple[float, float] | None = None  # the smallest scale that was seen too much
    scale = largest
    for attempt in range(1, _ATTEMPTS + 1):
        coded = code(scale)
        found = score(coded.pixels)
        if found is None or coded.scale == 0:
            return coded, found
        if found < least:
            above = coded.scale, found
        elif fitting is None or coded.scale > fitting[0].scale:
            fitting = coded, found
        if fitting is not None and (above is None or fitting[1] <= least + _CLOSE):
            return fitting
        # Of large pictures the pixels of one attempt at a time are held.
        fitting = fitting and (replace(fitting[0], pixels=NO_PIXELS), fitting[1])
        del coded
        # One that was still seen too much falls more slowly than expected.
        scale = _next_scale(fitting, above, 100 - least - _AIM, _GROWTH * attempt)
    if fitting is not None:
        return fitting
    unchanged = code(0.0)
    without = score(unchanged.pixels)
    if without is None or without >= least:
        return unchanged, without
    # Coding alone is seen more than that: the change adds a little to it.
    loss = 100 - without
    coded, found = fit_visible(
        code, lambda pixels: (score(pixels) or 0.0) + loss, least=100 - _ADDED, largest=largest
    )
    return coded, None if found is None else found - loss


def _next_scale(
    fitting: tuple[Coded, float] | None,
    above: tuple[float, float] | None,
    lack: float,
    growth: float,
) -> float:
    """Return the scale at which a score should lack so much of 100."""
    lack = max(lack, _LEAST_LACK)
    assert above is not None  # only what is seen too much is searched further
    high, seen = above[0], 100 - above[1]
    if fitting is None or fitting[1] >= 100 or fitting[0].scale >= high:
        return float(high * max((lack / seen) ** growth, _LEAST_AT_ONCE))
    low, hidden = fitting[0].scale, 100 - fitting[1]
    # By a straight line between logarithms.
    share = math.log(lack / hidden) / math.log(seen / hidden)
    return float(low * (high / low) ** min(max(share, 0.1), 0.9))
