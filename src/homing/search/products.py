"""Cosines of queries and vectors of half precision, which are read where they lie in memory.

Stored vectors are far apart: the next ones are fetched from memory while one is multiplied, and
none is copied. Compiled by numba.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from homing.compiled import compiled_sums

HALF = 2  # bytes
_AHEAD = 8  # vectors fetched before they are needed
_LINE = 64  # bytes that a processor fetches at once

# Sign, exponent and fraction of a half moved into a single's, with the exponent's bias of the half.
_SHIFT = np.int32(13)
_FIELDS = np.int32(-0x7000_2000)
_BIAS = np.float32(2.0**112)


@dataclass(frozen=True)
class Rows:
    """Vectors in memory; those of a run are one behind the other.

    The memory must outlive them, and every position must be one of `count`.
    """

    starts: NDArray[np.int64]  # first position of each run
    addresses: NDArray[np.int64]  # of position 0, if the run began there
    count: int
    dimension: int

    def cosines(
        self, queries: NDArray[np.float32], positions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the cosine, (n, c), of each query, (n, D), and each of its candidates, (n, c).

        Candidates are positions, or −1 where there is none: −inf. The result for a query and a
        vector, both of unit length, depends on nothing else. `IndexError` if a position is beyond
        the rows.
        """
        if positions.max(initial=-1) >= self.count:
            raise IndexError(f"there is no position {positions.max()} among {self.count}")
        found = np.empty(positions.shape, np.float32)
        ours = np.ascontiguousarray(queries, np.float32), np.ascontiguousarray(positions, np.int64)
        _multiply(*ours, self.starts, self.addresses, found)
        return found


def widen(halves: NDArray[np.float16]) -> NDArray[np.float32]:
    """Convert finite halves to singles, exactly; takes a sixth of the time of ``astype``."""
    bits = halves.view(np.int16).astype(np.int32)
    bits <<= _SHIFT
    bits &= _FIELDS
    singles = bits.view(np.float32)
    singles *= _BIAS
    return singles


@intrinsic
def _halves_at(_context: Any, address: Any) -> Any:
    """Return a pointer to the halves at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.int16)(address), generate


@intrinsic
def _fetch(_context: Any, address: Any) -> Any:
    """Have the processor fetch what is at an address, without waiting for it."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        from llvmlite import ir

        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        to_read, soon, data = (ir.Constant(number, value) for value in (0, 3, 1))
        builder.call(function, [builder.inttoptr(arguments[0], byte), to_read, soon, data])
        return context.get_dummy_value()

    return types.void(address), generate


@compiled_sums
def _multiply(queries, positions, starts, addresses, found):
    (count, several), dimension = positions.shape, queries.shape[1]
    places = np.empty(several, np.int64)
    bits = np.empty(dimension, np.int32)
    singles = bits.view(np.float32)
    for row in range(count):
        query = queries[row]
        for column in range(several):
            places[column] = _place(positions[row, column], starts, addresses, dimension)
            if column < _AHEAD:
                _fetch_row(places[column], dimension)
        for column in range(several):
            if column + _AHEAD < several:
                _fetch_row(places[column + _AHEAD], dimension)
            if not places[column]:
                found[row, column] = -np.inf
                continue
            halves = carray(_halves_at(places[column]), dimension)
            for place in range(dimension):
                bits[place] = (np.int32(halves[place]) << _SHIFT) & _FIELDS
            total = np.float32(0)
            for place in range(dimension):
                total += (singles[place] * _BIAS) * query[place]
            # Half precision leaves a unit vector's length off by up to a thousandth.
            found[row, column] = min(max(total, np.float32(-1)), np.float32(1))


@compiled_sums
def _place(position, starts, addresses, dimension):
    """Return the address of a vector; 0 for none."""
    if position < 0:
        return 0
    run = 0
    if len(starts) > 1:
        run = np.searchsorted(starts, position, side="right") - 1
    return addresses[run] + HALF * dimension * position


@compiled_sums
def _fetch_row(place, dimension):
    if place:
        for byte in range(0, HALF * dimension, _LINE):
            _fetch(place + byte)
        _fetch(place + HALF * dimension - 1)
