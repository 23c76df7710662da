"""Cells nearly as near to a vector as its own, into which its edited copies may have fallen."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_SAMPLE = 256  # centroids whose spacing is measured
_BLOCK = 1 << 21  # scores held at once

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FurtherPlaces:
    """Codes of entries in other cells than their own, where they are found as well."""

    owners: npt.NDArray[np.int64]  # (m,), positions of the entries
    cells: npt.NDArray[np.int32]  # (m,)
    codes: npt.NDArray[np.uint8]  # (m, code_size)


def spacing_of(centroids: Floats) -> float:
    """Return the median squared distance of centroids, (k, d), to their nearest neighbours.

    What is near is measured by it, in a codebook of any descriptor and size.
    """
    if len(centroids) < 2:
        return 0.0
    sample = np.linspace(0, len(centroids) - 1, min(_SAMPLE, len(centroids))).astype(np.int64)
    spacing = []
    norms = np.square(centroids).sum(axis=1)
    for number in sample.tolist():
        distances = norms - 2 * (centroids @ centroids[number])
        distances[number] = np.inf
        nearest = centroids[distances.argmin()]
        spacing.append(np.square(nearest - centroids[number], dtype=np.float64).sum())
    return float(np.median(spacing))


def count_near(
    vectors: Floats, centroids: Floats, norms: Doubles, margin: float, most: int
) -> npt.NDArray[np.int64]:
    """Count the centroids within a margin of the nearest one of each vector, from 1 to `most`.

    `vectors` is (n, d), `centroids` (k, d) with their squared lengths `norms`; the result is (n,).
    """
    most = min(most, len(centroids))
    result = np.ones(len(vectors), np.int64)
    rows = max(1, _BLOCK // len(centroids))
    for start in range(0, len(vectors) if most > 1 else 0, rows):
        block = vectors[start : start + rows]
        distances = norms.astype(np.float32) - 2 * (block @ centroids.T)
        if most < len(centroids):
            distances = np.partition(distances, most - 1, axis=1)[:, :most]
        limit = distances.min(axis=1, keepdims=True) + margin
        result[start : start + rows] = np.count_nonzero(distances <= limit, axis=1)
    return result
