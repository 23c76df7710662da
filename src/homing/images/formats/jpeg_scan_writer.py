"""Huffman-coded scans of a JPEG, coded from coefficients (ITU T.81, F and G)."""

import numpy as np
from numpy.typing import NDArray

from homing.images.formats.jpeg_scan_reader import (
    AT,
    BEYOND,
    BITS,
    COUNT,
    FIRST,
    HIGH,
    INTERVAL,
    LAST,
    LOW,
    PENDING,
    PROGRESSIVE,
    RUN,
    ZIGZAG,
    compiled,
)

_MOST_PENDING = 937  # correction bits held back before a run of empty blocks is ended
_LONGEST_RUN = 0x7FFF


@compiled
def _put(out, state, bits, count):
    """Write bits, or count them where `out` is empty."""
    if out.size == 0:
        state[BEYOND] += count
        return
    state[BITS] = (state[BITS] << count) | (bits & ((np.int64(1) << count) - 1))
    state[COUNT] += count
    while state[COUNT] >= 8:
        state[COUNT] -= 8
        byte = (state[BITS] >> state[COUNT]) & 255
        out[state[AT]] = byte
        state[AT] += 1
        if byte == 0xFF:
            out[state[AT]] = 0
            state[AT] += 1
    state[BITS] &= (np.int64(1) << state[COUNT]) - 1


@compiled
def _put_both(out, state, codes, counts, symbol, bits, size):
    """Write a symbol and the bits behind it, or count them where `out` is empty."""
    if out.size == 0:
        counts[symbol] += 1
        state[BEYOND] += size
    else:
        both = (codes[symbol] >> 5) << size | (bits & ((np.int64(1) << size) - 1))
        _put(out, state, both, (codes[symbol] & 31) + size)


@compiled
def _size(value):
    """Return the number of bits of a magnitude."""
    size = 0
    while value:
        size += 1
        value >>= 1
    return size


@compiled
def _put_pending(out, state, pending, first, count):
    if out.size == 0:
        state[BEYOND] += count
        return
    for at in range(first, first + count):
        _put(out, state, np.int64(pending[at]), 1)


@compiled
def _put_run(out, state, codes, counts, pending):
    """End a run of empty blocks, and write the correction bits held back for it."""
    if state[RUN] > 0:
        size = _size(state[RUN]) - 1
        _put_both(out, state, codes, counts, size << 4, state[RUN], size)
        state[RUN] = 0
        _put_pending(out, state, pending, 0, state[PENDING])
        state[PENDING] = 0


@compiled
def _put_ac(out, state, codes, counts, block, rules, pending):
    zeros, low = 0, rules[LOW]
    for k in range(max(rules[FIRST], 1), rules[LAST] + 1):
        value = np.int64(block[ZIGZAG[k]])
        magnitude = abs(value) >> low
        if magnitude == 0:
            zeros += 1
            continue
        if state[RUN] > 0:
            _put_run(out, state, codes, counts, pending)
        while zeros > 15:
            _put_both(out, state, codes, counts, 0xF0, 0, 0)
            zeros -= 16
        size = _size(magnitude)
        symbol = (zeros << 4) + size
        if out.size == 0:  # as `_put_both`: a call for each symbol would take most of the time
            counts[symbol] += 1
            state[BEYOND] += size
        else:
            both = (codes[symbol] >> 5) << size
            both |= (magnitude if value > 0 else ~magnitude) & ((np.int64(1) << size) - 1)
            _put(out, state, both, (codes[symbol] & 31) + size)
        zeros = 0
    if zeros > 0:
        state[RUN] += 1
        if state[RUN] == _LONGEST_RUN or not rules[PROGRESSIVE]:
            _put_run(out, state, codes, counts, pending)


@compiled
def _put_refined(out, state, codes, counts, block, rules, pending):
    first, last, low = rules[FIRST], rules[LAST], rules[LOW]
    newest = 0
    for k in range(first, last + 1):
        if abs(block[ZIGZAG[k]]) >> low == 1:
            newest = k
    zeros, held, start = 0, 0, state[PENDING]
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
        if state[RUN] > 0:
            _put_run(out, state, codes, counts, pending)
        symbol = (zeros << 4) + 1
        if out.size == 0:
            counts[symbol] += 1
            state[BEYOND] += 1
        else:
            both = (codes[symbol] >> 5) << 1 | np.int64(value > 0)
            _put(out, state, both, (codes[symbol] & 31) + 1)
        if held > 0:
            _put_pending(out, state, pending, start, held)
        zeros, held, start = 0, 0, 0
    if zeros > 0 or held > 0:
        state[RUN] += 1
        state[PENDING] += held
        if state[RUN] == _LONGEST_RUN or state[PENDING] > _MOST_PENDING:
            _put_run(out, state, codes, counts, pending)


@compiled
def _end_part(out, state, codes, counts, pending, marker):
    """End the data before a restart (`marker` 0xD0…) or at the end of the scan (0)."""
    _put_run(out, state, codes, counts, pending)
    _put(out, state, np.int64(0x7F), (8 - state[COUNT]) % 8)
    if marker and out.size:
        out[state[AT]], out[state[AT] + 1] = 0xFF, marker
        state[AT] += 2


@compiled
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
    return int(state[AT] if out.size else state[BEYOND])
