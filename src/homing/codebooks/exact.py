"""Nearest rows and linear maps whose result for a vector never depends on the other vectors.

In floating point, a matrix product's last bits for a row depend on the other rows, the processor
and the number of threads. A vector near the border of two cells could then get one cell in a batch
of sixteen pictures and the other alone. So the product only narrows the choice here: wherever its
rounding error, bounded a priori (Higham, "Accuracy and Stability of Numerical Algorithms", 2002,
§3.1), leaves a result in doubt, it is computed again in double precision, term by term in a fixed
order.
"""

import numpy as np
import numpy.typing as npt

LARGEST = 1e15  # largest component for which the products below do not overflow float32

_SINGLE = 2.0**-24  # unit roundoff of float32
_DOUBLE = 2.0**-53
_BLOCK = 1 << 21  # scores held at once
_TERMS = 1 << 21  # double-precision terms held at once

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


def squared_norms(table: Floats) -> Doubles:
    """Return the squared length of each row, (k,) float64, as :func:`nearest` takes it."""
    norms: Doubles = np.square(table, dtype=np.float64).sum(axis=1)
    return norms


def nearest(vectors: Floats, table: Floats, norms: Doubles | None) -> npt.NDArray[np.int32]:
    """Return the index of the row of `table` nearest to each vector in L2 distance, (n,) int32.

    Ties go to the first row. `vectors` (n, d) and `table` (k, d), k ≥ 1, are finite and below
    :data:`LARGEST`; `norms` are the :func:`squared_norms` of the table. With None the row of the
    largest inner product is returned instead.
    """
    result = np.empty(len(vectors), np.int32)
    rows = max(1, _BLOCK // len(table))
    for start in range(0, len(vectors), rows):
        block = vectors[start : start + rows]
        result[start : start + rows] = _nearest_block(block, table, norms)
    return result


def nearest_several(
    vectors: Floats, table: Floats, norms: Doubles | None, several: int
) -> npt.NDArray[np.int32]:
    """Return the indices of the `several` nearest rows, at most k, nearest first, (n, several).

    As :func:`nearest`, whose result is the first column.
    """
    result = np.empty((len(vectors), several), np.int32)
    rows = max(1, _BLOCK // len(table))
    for start in range(0, len(vectors), rows):
        block = vectors[start : start + rows]
        scores = _scores(block, table, norms)
        last = np.partition(scores, several - 1, axis=1)[:, several - 1]
        owners, columns = np.nonzero(scores <= _limit(last, block, table, norms)[:, None])
        distances = _distances(block, table, norms, owners, columns)
        order = np.lexsort((columns, distances, owners))
        first = np.searchsorted(owners[order], np.arange(len(block)))
        result[start : start + rows] = columns[order][first[:, None] + np.arange(several)]
    return result


def _scores(vectors: Floats, table: Floats, norms: Doubles | None) -> Floats:
    """Return |c|² − 2 x·c, (n, k): the squared distance less |x|², which all share."""
    scores: Floats = vectors @ table.T
    scores *= -2
    if norms is not None:
        scores += norms.astype(np.float32)
    return scores


def _limit(scores: Floats, vectors: Floats, table: Floats, norms: Doubles | None) -> Floats:
    """Return what scores that may be as low as these are at most, (n,)."""
    largest = np.sqrt((squared_norms(table) if norms is None else norms).max())
    lengths = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1))
    terms = 2 * (vectors.shape[1] + 4) * lengths * largest + 4 * largest**2
    # Twice the error of one score, and a little for the rounding of the limit itself.
    limit: Floats = (scores.astype(np.float64) + 2.5 * _SINGLE * terms + 1e-30).astype(np.float32)
    return limit


def _nearest_block(vectors: Floats, table: Floats, norms: Doubles | None) -> npt.NDArray[np.int32]:
    scores = _scores(vectors, table, norms)
    best = scores.argmin(axis=1)
    least = np.take_along_axis(scores, best[:, None], axis=1)[:, 0]
    rivals = scores <= _limit(least, vectors, table, norms)[:, None]
    doubtful = np.flatnonzero(np.count_nonzero(rivals, axis=1) > 1)
    if len(doubtful):
        rows, columns = np.nonzero(rivals[doubtful])
        distances = _distances(vectors, table, norms, doubtful[rows], columns)
        order = np.lexsort((columns, distances, rows))
        first = np.searchsorted(rows[order], np.arange(len(doubtful)))
        best[doubtful] = columns[order][first]
    result: npt.NDArray[np.int32] = best.astype(np.int32)
    return result


def _distances(
    vectors: Floats, table: Floats, norms: Doubles | None, rows: Indices, columns: Indices
) -> Doubles:
    """Return the squared distances of pairs; without norms, their negated inner products."""
    result = np.empty(len(rows))
    step = max(1, _TERMS // table.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        ours, theirs = vectors[rows[part]].astype(np.float64), table[columns[part]]
        terms = -ours * theirs if norms is None else np.square(ours - theirs)
        result[part] = terms.sum(axis=1)
    return result


def linear(vectors: Floats, matrix: Floats, bias: Floats | None = None) -> Floats:
    """Return ``vectors @ matrix.T + bias``, (n, k), correctly rounded but for a last-bit tie.

    `vectors` is (n, d), `matrix` (k, d), `bias` (k,).
    """
    wide = matrix.astype(np.float64)
    offset = np.zeros(len(matrix)) if bias is None else bias.astype(np.float64)
    reach = np.sqrt(np.square(wide).sum(axis=1))
    result = np.empty((len(vectors), len(matrix)), np.float32)
    rows = max(1, _BLOCK // max(matrix.shape))
    for start in range(0, len(vectors), rows):
        block = vectors[start : start + rows].astype(np.float64)
        value = block @ wide.T + offset
        lengths = np.sqrt(np.square(block).sum(axis=1))
        error = 2 * _DOUBLE * (matrix.shape[1] + 4) * (lengths[:, None] * reach + np.abs(offset))
        rounded = (value - error).astype(np.float32)
        doubt = np.nonzero(rounded != (value + error).astype(np.float32))
        if len(doubt[0]):
            rounded[doubt] = _terms(block, wide, offset, *doubt)
        result[start : start + rows] = rounded
    return result


def _terms(
    block: Doubles, matrix: Doubles, offset: Doubles, rows: Indices, columns: Indices
) -> npt.NDArray[np.float32]:
    result = np.empty(len(rows), np.float32)
    step = max(1, _TERMS // matrix.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        products = block[rows[part]] * matrix[columns[part]]
        result[part] = products.sum(axis=1) + offset[columns[part]]
    return result
