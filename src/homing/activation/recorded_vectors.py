"""What an index is told of a released picture."""

import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook

_Vectors = NDArray[np.float32]

_FILE = 0.5  # weight of the file's descriptor; the source's is 1


def recorded_vectors(codebook: Codebook, sources: _Vectors, files: _Vectors) -> _Vectors:
    """Between the descriptors of the pictures as they were and as they were released.

    Activation moves a descriptor a little away from what the picture shows. Of a hard copy much of
    the change is lost, and it is nearest to the picture as it was; a mild copy is nearest to the
    file. What lies between serves both: an exact search finds as many copies as of untouched
    pictures, where by the file's own descriptor it finds fewer (``docs/activation.md``).

    Parameters
    ----------
    codebook : Codebook
        That the files were activated for.
    sources, files : array (n, D), float32
        Descriptors, of unit length.

    Returns
    -------
    array (n, D), float32
        Of unit length. A file that would be looked for in another cell than its own is recorded by
        its own descriptor.
    """
    between = sources + _FILE * files
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    same = codebook.cells(between) == codebook.cells(files)
    return np.where(same[:, None], between, files)
