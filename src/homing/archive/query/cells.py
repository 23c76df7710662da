"""Cells of a picture, for those who keep their entries elsewhere, under the cell's number."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homing.codebooks.codebook import Codebook
from homing.errors import UsageError


def codebook_of(codebooks: Sequence[Codebook], generation: int | None) -> Codebook:
    """Return a generation's codebook, from 1; None: the newest. UsageError if there is none."""
    number = len(codebooks) if generation is None else generation
    if not 1 <= number <= len(codebooks):
        raise UsageError(f"there is no generation {number}; the archive has {len(codebooks)}")
    return codebooks[number - 1]


def cells_of(codebook: Codebook, vectors: NDArray[np.float32], probes: int) -> tuple[int, ...]:
    """Return the cells that a search of a picture's views, (v, D), would probe, each once.

    The nearest cell of every view comes first, then the second of each.
    """
    if probes < 1:
        raise UsageError(f"probes must be at least 1, not {probes}")
    near = codebook.nearest_cells(vectors, probes)
    return tuple(dict.fromkeys(near.T.ravel().tolist()))
