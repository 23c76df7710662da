"""Huffman-coded scans of a JPEG, decoded to coefficients and coded from them (ITU T.81, F and G).

The loops are compiled by numba; they allocate nothing that a file's header does not justify, and
reach no byte outside the arrays given, whatever the file says.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

_Function = TypeVar("_Function", bound=Callable[..., Any])

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

_AT, _BITS, _COUNT, _BEYOND, _RUN, _PENDING = range(6)  # of a reader's or a writer's state
_MOST_PENDING = 937  # correction bits held back before a run of empty blocks is ended
_LONGEST_RUN = 0x7FFF
_LONGEST = 31  # bits of a symbol and the number behind it
_SAFE = 1 << 14  # magnitude that a coefficient never reaches


def _compiled(function: _Function) -> _Function:
    """Compile at the first call, without the GIL, and keep the machine code where one can."""
    compiled = numba.njit(nogil=True)(function)
    with suppress(RuntimeError):  # no folder can be written
        compiled.enable_caching()
    kept: _Function = compiled
    return kept


@_compiled
def _fill(data, end, state):
    """Hold at least 48 bits; beyond the end they are zeros, and counted."""
    while state[_COUNT] <= 48:
        at = state[_AT]
        byte = 0
        if at < end:
            byte = np.int64(data[at])
            state[_AT] = at + (2 if byte == 0xFF else 1)  # a zero is stuffed behind 0xFF
        else:
            state[_BEYOND] += 8
        state[_BITS] = ((state[_BITS] << 8) | byte) & 0xFFFFFFFFFFFFFF
        state[_COUNT] += 8


@_compiled
def _take(data, end, state, count):
    if count == 0:
        return np.int64(0)
    if state[_COUNT] < count:
        _fill(data, end, state)
    state[_COUNT] -= count
    return (state[_BITS] >> state[_COUNT]) & ((np.int64(1) << count) - 1)


@_compiled
def _symbol(data, end, state, table):
    """Decode a symbol; −1 for a code that the table lacks."""
    if state[_COUNT] < 16:
        _fill(data, end, state)
    found = np.int64(table[(state[_BITS] >> (state[_COUNT] - 16)) & 0xFFFF])
    if found == 0:
        return np.int64(-1)
    state[_COUNT] -= found >> 8
    return found & 255


@_compiled
def _number(data, end, state, size):
    """Decode a signed number of `size` bits (T.81, F.2.2.1)."""
    value = _take(data, end, state, size)
    if size > 0 and value < (np.int64(1) << (size - 1)):
        value -= (np.int64(1) << size) - 1
    return value


@_compiled
def _read_dc(data, end, state, table, before):
    """Decode a DC coefficient; `_SAFE` if it cannot be."""
    size = _symbol(data, end, state, table)
    if size < 0 or size > 15:
        return np.int64(_SAFE)
    value = before + _number(data, end, state, size)
    return value if -_SAFE < value < _SAFE else np.int64(_SAFE)


@_compiled
def _read_ac(data, end, state, table, block, rules):
    """Decode the first bits of a block's AC coefficients; false if they are damaged."""
    if state[_RUN] > 0:
        state[_RUN] -= 1
        return True
    k, last, low = max(rules[FIRST], 1), rules[LAST], rules[LOW]
    while k <= last:
        if state[_COUNT] < _LONGEST:
            _fill(data, end, state)
        bits, left = state[_BITS], state[_COUNT]
        found = np.int64(table[(bits >> (left - 16)) & 0xFFFF])
        if found == 0:
            return False
        left -= found >> 8
        zeros, size = (found >> 4) & 15, found & 15
        if size == 0:
            state[_COUNT] = left
            if zeros == 15:
                k += 16
                continue
            if zeros and not rules[PROGRESSIVE]:
                return False
            state[_RUN] = (np.int64(1) << zeros) - 1 + _take(data, end, state, zeros)
            return True
        k += zeros
        if k > last:
            return False
        left -= size
        state[_COUNT] = left
        value = (bits >> left) & ((np.int64(1) << size) - 1)
        if value < (np.int64(1) << (size - 1)):
            value -= (np.int64(1) << size) - 1
        value <<= low
        if not -_SAFE < value < _SAFE:
            return False
        block[ZIGZAG[k]] = value
        k += 1
    return True


@_compiled
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
            if state[_COUNT] == 0:
                _fill(data, end, state)
            state[_COUNT] -= 1
            if (state[_BITS] >> state[_COUNT]) & 1 and not (abs(value) >> low) & 1:
                block[ZIGZAG[k]] = value + ((1 << low) if value > 0 else -(1 << low))
        k += 1
    return k


@_compiled
def _refine_ac(data, end, state, table, block, rules):
    """Decode one more bit of a block's AC coefficients (T.81, G.1.2.3)."""
    k, last, low = rules[FIRST], rules[LAST], rules[LOW]
    while state[_RUN] == 0 and k <= last:
        symbol = _symbol(data, end, state, table)
        if symbol < 0 or symbol & 15 > 1:
            return False
        zeros, new = symbol >> 4, 0
        if symbol & 15:
            new = (1 << low) if _take(data, end, state, 1) else -(1 << low)
        elif zeros < 15:
            state[_RUN] = (np.int64(1) << zeros) + _take(data, end, state, zeros)
            break
        k = _refine(data, end, state, block, k, zeros, rules)
        if k > last:
            return new == 0
        block[ZIGZAG[k]] = new
        k += 1
    if state[_RUN] > 0:
        _refine(data, end, state, block, k, 64, rules)
        state[_RUN] -= 1
    return True


@_compiled
def _read_rest(data, end, state, table, block, rules):
    """Decode a block's AC coefficients, if the scan has any."""
    if rules[LAST] == 0:
        return True
    if rules[HIGH] == 0:
        return _read_ac(data, end, state, table, block, rules)
    return _refine_ac(data, end, state, table, block, rules)


@_compiled
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
            if state[_COUNT] < state[_BEYOND]:
                return False
            state[:] = 0
            before[:] = 0
            state[_AT] = parts[mcu // interval, 0]
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
    return bool(state[_COUNT] >= state[_BEYOND])


@_compiled
def _put(out, state, bits, count):
    """Write bits, or count them where `out` is empty."""
    if out.size == 0:
        state[_BEYOND] += count
        return
    state[_BITS] = (state[_BITS] << count) | (bits & ((np.int64(1) << count) - 1))
    state[_COUNT] += count
    while state[_COUNT] >= 8:
        state[_COUNT] -= 8
        byte = (state[_BITS] >> state[_COUNT]) & 255
        out[state[_AT]] = byte
        state[_AT] += 1
        if byte == 0xFF:
            out[state[_AT]] = 0
            state[_AT] += 1
    state[_BITS] &= (np.int64(1) << state[_COUNT]) - 1


@_compiled
def _put_both(out, state, codes, counts, symbol, bits, size):
    """Write a symbol and the bits behind it, or count them where `out` is empty."""
    if out.size == 0:
        counts[symbol] += 1
        state[_BEYOND] += size
    else:
        both = (codes[symbol] >> 5) << size | (bits & ((np.int64(1) << size) - 1))
        _put(out, state, both, (codes[symbol] & 31) + size)


@_compiled
def _size(value):
    """Return the number of bits of a magnitude."""
    size = 0
    while value:
        size += 1
        value >>= 1
    return size


@_compiled
def _put_pending(out, state, pending, first, count):
    if out.size == 0:
        state[_BEYOND] += count
        return
    for at in range(first, first + count):
        _put(out, state, np.int64(pending[at]), 1)


@_compiled
def _put_run(out, state, codes, counts, pending):
    """End a run of empty blocks, and write the correction bits held back for it."""
    if state[_RUN] > 0:
        size = _size(state[_RUN]) - 1
        _put_both(out, state, codes, counts, size << 4, state[_RUN], size)
        state[_RUN] = 0
        _put_pending(out, state, pending, 0, state[_PENDING])
        state[_PENDING] = 0


@_compiled
def _put_ac(out, state, codes, counts, block, rules, pending):
    zeros, low = 0, rules[LOW]
    for k in range(max(rules[FIRST], 1), rules[LAST] + 1):
        value = np.int64(block[ZIGZAG[k]])
        magnitude = abs(value) >> low
        if magnitude == 0:
            zeros += 1
            continue
        if state[_RUN] > 0:
            _put_run(out, state, codes, counts, pending)
        while zeros > 15:
            _put_both(out, state, codes, counts, 0xF0, 0, 0)
            zeros -= 16
        size = _size(magnitude)
        symbol = (zeros << 4) + size
        if out.size == 0:  # as `_put_both`: a call for each symbol would take most of the time
            counts[symbol] += 1
            state[_BEYOND] += size
        else:
            both = (codes[symbol] >> 5) << size
            both |= (magnitude if value > 0 else ~magnitude) & ((np.int64(1) << size) - 1)
            _put(out, state, both, (codes[symbol] & 31) + size)
        zeros = 0
    if zeros > 0:
        state[_RUN] += 1
        if state[_RUN] == _LONGEST_RUN or not rules[PROGRESSIVE]:
            _put_run(out, state, codes, counts, pending)


@_compiled
def _put_refined(out, state, codes, counts, block, rules, pending):
    first, last, low = rules[FIRST], rules[LAST], rules[LOW]
    newest = 0
    for k in range(first, last + 1):
        if abs(block[ZIGZAG[k]]) >> low == 1:
            newest = k
    zeros, held, start = 0, 0, state[_PENDING]
    for k in range(first, last + 1):
        value = np.int64(block[ZIGZAG[k]])
        magnitude = abs(value) >> low
        if magnitude == 0:
            zeros += 1
            continue
        while zeros > 15 and k <= newest:
            _put_run(out, state, codes, counts, pending)
            _put_both(out, state, codes, counts, 0xF0, 0, 0)
            zeros -= 16
            _put_pending(out, state, pending, start, held)
            held, start = 0, 0
        if magnitude > 1:
            pending[start + held] = magnitude & 1
            held += 1
            continue
        if state[_RUN] > 0:
            _put_run(out, state, codes, counts, pending)
        symbol = (zeros << 4) + 1
        if out.size == 0:
            counts[symbol] += 1
            state[_BEYOND] += 1
        else:
            both = (codes[symbol] >> 5) << 1 | np.int64(value > 0)
            _put(out, state, both, (codes[symbol] & 31) + 1)
        if held > 0:
            _put_pending(out, state, pending, start, held)
        zeros, held, start = 0, 0, 0
    if zeros > 0 or held > 0:
        state[_RUN] += 1
        state[_PENDING] += held
        if state[_RUN] == _LONGEST_RUN or state[_PENDING] > _MOST_PENDING:
            _put_run(out, state, codes, counts, pending)


@_compiled
def _end_part(out, state, codes, counts, pending, marker):
    """End the data before a restart (`marker` 0xD0…) or at the end of the scan (0)."""
    _put_run(out, state, codes, counts, pending)
    _put(out, state, np.int64(0x7F), (8 - state[_COUNT]) % 8)
    if marker and out.size:
        out[state[_AT]], out[state[_AT] + 1] = 0xFF, marker
        state[_AT] += 2


@_compiled
def code_scan(
    out: NDArray[np.uint8],
    blocks: NDArray[np.int32],
    slots: NDArray[np.int64],
    coefficients: NDArray[np.int16],
    codes: NDArray[np.int64],
    counts: NDArray[np.int64],
    rules: NDArray[np.int64],
) -> int:
    """Code a scan into `out` and return its bytes; into an empty one, count symbols and bits.

    `codes` (8, 256) holds code and length of each symbol, code · 32 + length, `counts` (8, 257) the
    times each is used; DC tables first. The rest is as in :func:`decode_scan`.
    """
    state, before = np.zeros(6, np.int64), np.zeros(4, np.int64)
    pending = np.zeros(_MOST_PENDING + 128, np.uint8)
    low, ac = rules[LOW], 4 + slots[0, 2]
    for mcu in range(blocks.shape[0]):
        if rules[INTERVAL] > 0 and mcu > 0 and mcu % rules[INTERVAL] == 0:
            marker = 0xD0 + (mcu // rules[INTERVAL] - 1) % 8
            _end_part(out, state, codes[ac], counts[ac], pending, marker)
            before[:] = 0
        for place in range(blocks.shape[1]):
            block = coefficients[blocks[mcu, place]]
            component, dc, ac = slots[place, 0], slots[place, 1], 4 + slots[place, 2]
            if rules[FIRST] == 0 and rules[HIGH] == 0:
                value = np.int64(block[0]) >> low
                change = value - before[component]
                before[component] = value
                size = _size(abs(change))
                bits = change if change >= 0 else ~-change
                _put_both(out, state, codes[dc], counts[dc], size, bits, size)
            elif rules[FIRST] == 0:
                _put(out, state, (np.int64(block[0]) >> low) & 1, 1)
            if rules[LAST] > 0:
                if rules[HIGH] == 0:
                    _put_ac(out, state, codes[ac], counts[ac], block, rules, pending)
                else:
                    _put_refined(out, state, codes[ac], counts[ac], block, rules, pending)
    _end_part(out, state, codes[ac], counts[ac], pending, 0)
    return int(state[_AT] if out.size else state[_BEYOND])
