"""The cells near a vector, and their middles."""

import numpy as np
import numpy.typing as npt

from homing.codebooks import Codebook
from homing.codebooks.exact import linear

_BLOCK = 4096  # vectors whose distances to all centroids are held at once

Vectors = npt.NDArray[np.float32]
Cells = npt.NDArray[np.int32]


def nearest_cells(codebook: Codebook, vectors: Vectors, several: int) -> Cells:
    """Return the `several` nearest cells of each vector, nearest first, (n, several) int32.

    The first column is :meth:`~homing.codebooks.Codebook.cells`.
    """
    coarse = codebook.arrays["coarse"]
    squares = np.sum(coarse**2, axis=1)
    found = np.empty((len(vectors), several), np.int32)
    for first in range(0, len(vectors), _BLOCK):
        block = vectors[first : first + _BLOCK]
        distances = squares - 2 * codebook.inner(block) @ coarse.T
        rows = np.arange(len(block))
        distances[rows, codebook.cells(block)] = -np.inf
        near = np.argpartition(distances, several - 1, axis=1)[:, :several]
        order = np.take_along_axis(distances, near, axis=1).argsort(axis=1)
        found[first : first + _BLOCK] = np.take_along_axis(near, order, axis=1)
    return found


def middles(codebook: Codebook, cells: Cells) -> Vectors:
    """Return the centroids of cells as vectors, (n, dimension): a rotation is undone."""
    found = codebook.arrays["coarse"][cells]
    rotation = codebook.arrays.get("rotation")
    return found if rotation is None else linear(found, np.ascontiguousarray(rotation.T))
