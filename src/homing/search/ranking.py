"""Exact similarity of candidates, and their order by it.

What numba compiles is imported where a search needs it: an archive opens without it.
"""

import numpy as np
from numpy.typing import NDArray


def similarities(
    queries: NDArray[np.float32], vectors: NDArray[np.float16], positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the cosine of each query and each of its candidates, (n, c) float32 in [−1, 1].

    `queries` is (n, D) of unit length; `vectors`, (n, c, D), the stored ones of the candidates,
    finite. Where `positions`, (n, c), is −1, there is no candidate and the cosine is −inf. Equal
    vectors get equal similarities, whatever their place among the candidates.
    """
    from homing.search.products import Rows

    held = np.ascontiguousarray(vectors)
    address = np.array([held.ctypes.data], np.int64)
    rows = Rows(np.zeros(1, np.int64), address, positions.size, held.shape[2])
    places = np.where(positions < 0, -1, np.arange(positions.size).reshape(positions.shape))
    return rows.cosines(queries, places)


def similarities_among(vectors: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return the cosine of each of a query's candidates to each other; `vectors` is (n, m, D)."""
    from homing.search.products import widen

    wide = widen(np.ascontiguousarray(vectors))
    found: NDArray[np.float32] = np.matmul(wide, wide.transpose(0, 2, 1))
    return found


def rank(similarity: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the places of the `k` most similar candidates, (n, k); ties stay in order."""
    order: NDArray[np.int64] = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return order
