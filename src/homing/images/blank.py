"""Pictures that show nothing: one colour all over, or next to it."""

import numpy as np
import numpy.typing as npt

BLANK = 1.0
"""Standard deviation, in levels of 255, below which a channel counts as flat.

Of photographs whose contrast was lowered to so little, one in fifty was found again by homing-s,
by three times as much every third; of 1,000 photographs none had less than 15.
"""

SHOWS_NOTHING = "it shows next to nothing, and cannot be told from other blank pictures"

_STEP = 2  # every second row and column will do


def shows_nothing(squares: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Tell squares in which there is nothing to be recognised.

    The descriptor of such a picture is that of its colour: alike for all blank pictures, however
    they came about, and close to that of any dark corner or clear sky. It is no ground for a
    verdict.

    Parameters
    ----------
    squares : array (..., S, S, 3), uint8
        Pictures squashed for a descriptor.

    Returns
    -------
    array (...), bool
        Whether no channel's standard deviation reaches :data:`BLANK`.
    """
    seen = squares[..., ::_STEP, ::_STEP, :].astype(np.float32)
    flat: npt.NDArray[np.bool_] = (seen.std(axis=(-3, -2)) < BLANK).all(axis=-1)
    return flat
