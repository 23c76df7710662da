"""The middles of cells."""

import numpy as np
import numpy.typing as npt

from homing.codebooks import Codebook
from homing.codebooks.exact import linear

Vectors = npt.NDArray[np.float32]
Cells = npt.NDArray[np.int32]


def middles(codebook: Codebook, cells: Cells) -> Vectors:
    """Return the centroids of cells as vectors, (n, dimension): a rotation is undone."""
    found = codebook.arrays["coarse"][cells]
    rotation = codebook.arrays.get("rotation")
    return found if rotation is None else linear(found, np.ascontiguousarray(rotation.T))
