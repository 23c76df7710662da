"""Sums over the steps by which a JPEG's coefficients would change, in one pass over them."""

import numpy as np

from homing.compiled import compiled_sums


@compiled_sums
def sums_laid(old, values, scale, new, largest):
    """Sum the squares of the steps laid at a scale, and their products with those wanted.

    `old` is (rows, columns) int16, `values` float32. A coefficient that is zero changes from `new`
    steps on; none leaves the range to `largest`, if it is in it.
    """
    squares = products = 0.0
    for row in range(old.shape[0]):
        for column in range(old.shape[1]):
            before, wanted = np.float32(old[row, column]), values[row, column]
            scaled = wanted * scale
            after = before + np.rint(scaled)
            after = max(min(after, max(before, largest)), min(before, -largest))
            step = after - before
            if before == 0 and abs(scaled) < new:
                step = np.float32(0)
            squares += np.float64(step * step)
            products += np.float64(step * wanted)
    return squares, products
