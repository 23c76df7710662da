"""Vectors that stand for a picture: the target before the loop, the recorded one after it."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from homing.activation.simulated_edits.edits import DrawnEdits, Originals, apply_edits
from homing.codebooks.any_codebook import AnyCodebook

_Vectors = NDArray[np.float32]  # (n, D), of unit length

_FILE_WEIGHT = 0.5  # of the file's descriptor; the source's is 1


def target_vectors(
    pictures: torch.Tensor,
    originals: Originals | None,
    drawn: DrawnEdits,
    own: _Vectors,
    describe: Callable[[torch.Tensor], torch.Tensor],
) -> _Vectors:
    """Return the mean descriptor of each picture and its edited copies, (B, D).

    A picture often lies near a wall of its cell, and most of its copies beyond it. They stay
    together more easily in the cell where they are than in that of the picture itself. `pictures`
    is (B, 3, S, S), `own` their descriptors; `drawn` holds one step of edits.
    """
    total = own.astype(np.float64)
    with torch.inference_mode():
        for copies in apply_edits(pictures, drawn, 0, originals):
            features = describe(copies).cpu().numpy().reshape(-1, *own.shape)
            total += features.sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), np.float32)


def recorded_vectors(codebook: AnyCodebook, sources: _Vectors, files: _Vectors) -> _Vectors:
    """Return vectors between the descriptors of sources and of their released files.

    Activation moves a descriptor a little away from what the picture shows. A hard copy has lost
    much of the change and is nearest to the source; a mild copy is nearest to the file. A vector
    between serves both: an exact search finds as many copies as of untouched pictures, where by the
    file's own descriptor it finds fewer (``docs/how/activation.md``). A file whose vector would
    fall in another cell of `codebook` than its own descriptor is recorded by that descriptor.
    """
    between = sources + _FILE_WEIGHT * files
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    same = codebook.cells(between) == codebook.cells(files)
    return np.where(same[:, None], between, files)
