"""Huffman-coded scans of a JPEG, decoded to coefficients (ITU T.81, F and G).

The loops are compiled by numba; they allocate nothing that a file's header does not justify, and
reach no byte outside the arrays given, whatever the file says.
"""

import numpy as np
from numpy.typing import NDArray

from homing.compiled import compiled

ZIGZAG = np.array(
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48,
        41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
        30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ],
    dtype=np.int64,
)  # fmt: skip
"""Place, in rows of eight, of each coefficient in the order in which it is coded."""

#: Columns of a scan's rules: the band of coefficients, successive approximation, whether the frame
#: is progressive, and the MCUs between restarts (0: none).
FIRST, LAST, HIGH, LOW, PROGRESSIVE, INTERVAL = range(6)

#: Columns of a reader's or a writer's state.
AT, BITS, COUNT, BEYOND, RUN, PENDING = range(6)

_LONGEST = 31  # bits of a symbol and the number behind it
_SAFE = 1 << 14  # magnitude that a coefficient never reaches


@compiled
def _fill(data, end, state):
    """Hold at least 48 bits; beyond the end they are zeros, and counted."""
    while state[COUNT] <= 48:
        at = state[AT]
        byte = 0
        if at < end:
            byte = np.int64(data[at])
            state[AT] = at + (2 if byte == 0xFF else 1)  # a zero is stuffed behind 0xFF
        else:
            state[BEYOND] += 8
        state[BITS] = ((state[BITS] << 8) | byte) & 0xFFFFFFFFFFFFFF
        state[COUNT] += 8


@compiled
def _take(data, end, state, count):
    if count == 0:
        return np.int64(0)
    if state[COUNT] < count:
        _fill(data, end, state)
    state[COUNT] -= count
    return (state[BITS] >> state[COUNT]) & ((np.int64(1) << count) - 1)


@compiled
def _symbol(data, end, state, table):
    """Decode a symbol; −1 for a code that the table lacks."""
    if state[COUNT] < 16:
        _fill(data, end, state)
    found = np.int64(table[(state[BITS] >> (state[COUNT] - 16)) & 0xFFFF])
    if found == 0:
        return np.int64(-1)
    state[COUNT] -= found >> 8
    return found & 255


@compiled
def _number(data, end, state, size):
    """Decode a signed number of `size` bits (T.81, F.2.2.1)."""
    value = _take(data, end, state, size)
    if size > 0 and value < (np.int64(1) << (size - 1)):
        value -= (np.int64(1) << size) - 1
    return value


@compiled
def _read_dc(data, end, state, table, before):
    """Decode a DC coefficient; `_SAFE` if it cannot be."""
    size = _symbol(data, end, state, table)
    if size < 0 or size > 15:
        return np.int64(_SAFE)
    value = before + _number(data, end, state, size)
    return value if -_SAFE < value < _SAFE else np.int64(_SAFE)


@compiled
def _read_ac(data, end, state, table, block, rules):
    """Decode the first bits of a block's AC coefficients; false if they are damaged."""
    if state[RUN] > 0:
        state[RUN] -= 1
        return True
    k, last, low = max(rules[FIRST], 1), rules[LAST], rules[LOW]
    while k <= last:
        if state[COUNT] < _LONGEST:
            _fill(data, end, state)
        bits, left = state[BITS], state[COUNT]
        found = np.int64(table[(bits >> (left - 16)) & 0xFFFF])
        if found == 0:
            return False
        left -= found >> 8
        zeros, size = (found >> 4) & 15, found & 15
        if size == 0:
            state[COUNT] = left
            if zeros == 15:
                k += 16
                continue
            if zeros and not rules[PROGRESSIVE]:
                return False
            state[RUN] = (np.int64(1) << zeros) - 1 + _take(data, end, state, zeros)
            return True
        k += zeros
        if k > last:
            return False
        left -= size
        state[COUNT] = left
        value = (bits >> left) & ((np.int64(1) << size) - 1)
        if value < (np.int64(1) << (size - 1)):
            value -= (np.int64(1) << size) - 1
        value <<= low
        if not -_SAFE < value < _SAFE:
            return False
        block[ZIGZAG[k]] = value
        k += 1
    return True


@compiled
def _refine(data, end, state, block, k, zeros, rules):
    """Read one more bit of coefficients that are not zero, past a number of zeros; return where."""
    last, low = rules[LAST], rules[LOW]
    while k <= last:
        value = np.int64(block[ZIGZAG[k]])
        if value == 0:
            if zeros == 0:
                break
            zeros -= 1
        else:
            if state[COUNT] == 0:
                _fill(data, end, state)
            state[COUNT] -= 1
            if (state[BITS] >> state[COUNT]) & 1 and not (abs(value) >> low) & 1:
                block[ZIGZAG[k]] = value + ((1 << low) if value > 0 else -(1 << low))
        k += 1
    return k


@compiled
def _refine_ac(data, end, state, table, block, rules):
    """Decode one more bit of a block's AC coefficients (T.81, G.1.2.3)."""
    k, last, low = rules[FIRST], rules[LAST], rules[LOW]
    while state[RUN] == 0 and k <= last:
        symbol = _symbol(data, end, state, table)
        if symbol < 0 or symbol & 15 > 1:
            return False
        zeros, new = symbol >> 4, 0
        if symbol & 15:
            new = (1 << low) if _take(data, end, state, 1) else -(1 << low)
        elif zeros < 15:
            state[RUN] = (np.int64(1) << zeros) + _take(data, end, state, zeros)
            break
        k = _refine(data, end, state, block, k, zeros, rules)
        if k > last:
            return new == 0
        block[ZIGZAG[k]] = new
        k += 1
    if state[RUN] > 0:
        _refine(data, end, state, block, k, 64, rules)
        state[RUN] -= 1
    return True


@compiled
def _read_rest(data, end, state, table, block, rules):
    """Decode a block's AC coefficients, if the scan has any."""
    if rules[LAST] == 0:
        return True
    if rules[HIGH] == 0:
        return _read_ac(data, end, state, table, block, rules)
    return _refine_ac(data, end, state, table, block, rules)


@compiled
def decode_scan(
    data: NDArray[np.uint8],
    parts: NDArray[np.int64],
    blocks: NDArray[np.int32],
    slots: NDArray[np.int64],
    coefficients: NDArray[np.int16],
    tables: NDArray[np.uint16],
    rules: NDArray[np.int64],
) -> bool:
    """Decode a scan into `coefficients`; false if it is damaged.

    `parts` (n, 2) are the ends of the data between restarts, `blocks` (MCUs, b) the numbers of the
    blocks in their order, `slots` (b, 3) component, DC and AC table of each place of an MCU,
    `coefficients` (N, 64), `tables` (8, 65536): length and symbol for each 16 bits, DC first.
    """
    state, before = np.zeros(6, np.int64), np.zeros(4, np.int64)
    interval = rules[INTERVAL] if rules[INTERVAL] > 0 else blocks.shape[0]
    end = np.int64(0)
    for mcu in range(blocks.shape[0]):
        if mcu % interval == 0:
            if state[COUNT] < state[BEYOND]:
                return False
            state[:] = 0
            before[:] = 0
            state[AT] = parts[mcu // interval, 0]
            end = parts[mcu // interval, 1]
        for place in range(blocks.shape[1]):
            block = coefficients[blocks[mcu, place]]
            component, dc, ac = slots[place, 0], slots[place, 1], slots[place, 2]
            if rules[FIRST] == 0 and rules[HIGH] == 0:
                value = _read_dc(data, end, state, tables[dc], before[component])
                if not -_SAFE < (value << rules[LOW]) < _SAFE:
                    return False
                before[component] = value
                block[0] = value << rules[LOW]
            elif rules[FIRST] == 0:
                block[0] |= _take(data, end, state, 1) << rules[LOW]
            if not _read_rest(data, end, state, tables[4 + ac], block, rules):
                return False
    return bool(state[COUNT] >= state[BEYOND])
