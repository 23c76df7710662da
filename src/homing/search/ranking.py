"""Exact similarity of candidates, and their order by it."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["rank", "similarities"]


def similarities(
    queries: NDArray[np.float32], vectors: NDArray[np.float16], positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Cosine of each query and each of its candidates.

    Parameters
    ----------
    queries : array (n, D), float32
        Unit vectors.
    vectors : array (n, c, D), float16
        Stored vectors of the candidates.
    positions : array (n, c), int64
        −1 where there is no candidate.

    Returns
    -------
    array (n, c), float32
        In [−1, 1]; −inf where there is no candidate.
    """
    exact = np.matmul(vectors.astype(np.float32), queries[:, :, None])[:, :, 0]
    # Half precision leaves a unit vector's length off by up to a thousandth.
    clipped = np.clip(exact, -1.0, 1.0)
    return np.where(positions >= 0, clipped, -np.inf).astype(np.float32)


def rank(similarity: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of the `k` most similar candidates of each query, (n, k); ties keep their order."""
    order: NDArray[np.int64] = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return order
