"""Where a picture's copies will be: the mean of what its edited looks are described by.

A picture often lies near a wall of its cell, and most of its copies beyond it. They are kept
together more easily in the cell where they are than in that of the picture itself.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from homing.activation.simulated_edits.looks import Detail, DrawnEdits, looks

_Vectors = NDArray[np.float32]


def aims_of(
    pictures: torch.Tensor,
    detail: Detail | None,
    drawn: DrawnEdits,
    own: _Vectors,
    describe: Callable[[torch.Tensor], torch.Tensor],
) -> _Vectors:
    """Mean descriptor of each picture and of edited looks at it.

    Parameters
    ----------
    pictures : Tensor (B, 3, S, S)
        RGB in [0, 1], unchanged.
    detail : Detail or None
        For looks that enlarge.
    drawn : DrawnEdits
        Of these pictures, stacked, for one step.
    own : array (B, D), float32
        The pictures' own descriptors, of unit length.
    describe : callable
        (n, 3, S, S) in [0, 1] to (n, D) unit vectors.

    Returns
    -------
    array (B, D), float32
        Of unit length.
    """
    total = own.astype(np.float64)
    with torch.inference_mode():
        for seen in looks(pictures, drawn, 0, detail):
            features = describe(seen).cpu().numpy().reshape(-1, *own.shape)
            total += features.sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), np.float32)
