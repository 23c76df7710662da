"""Huffman-coded scans of a JPEG, coded from coefficients (ITU T.81, F and G).

Coefficients become tokens, of which a scan's best Huffman tables are made, and tokens become bytes:
the coefficients, nearly all of them zero, are gone through once.
"""

import numpy as np
from numpy.typing import NDArray

from homing.compiled import compiled
from homing.images.formats.jpeg_scan_reader import (
    AT,
    FIRST,
    HIGH,
    INTERVAL,
    LAST,
    LOW,
    PENDING,
    PROGRESSIVE,
    RUN,
    ZIGZAG,
)

_MOST_PENDING = 937  # correction bits held back before a run of empty blocks is ended
_LONGEST_RUN = 0x7FFF

# A token, 32 bits: number of its table (0..3 DC, 4..7 AC; 8: it has no symbol), its symbol, and how
# many of the last 15 bits are written behind it. Without symbol and bits it ends the data before a
# restart, whose marker stands for the symbol, or all data (0).
_SYMBOL, _SIZE = 19, 15  # places of symbol and number of bits; 8 bits above the symbol: the table
_BITS = (1 << _SIZE) - 1
_BARE = 8


@compiled
def _token(table, symbol, bits, size):
    low = bits & ((np.int64(1) << size) - 1)
    return np.uint32(((table << 8 | symbol) << _SYMBOL) | (np.int64(size) << _SIZE) | low)


@compiled
def _put(tokens, state, table, symbol, bits, size):
    tokens[state[AT]] = _token(table, symbol, bits, size)
    state[AT] += 1


@compiled
def _size(value):
    """Return the number of bits of a magnitude."""
    size = np.int64(0)
    while value:
        size += 1
        value >>= 1
    return size


@compiled
def _put_pending(tokens, state, pending, first, count):
    for at in range(first, first + count):
        _put(tokens, state, _BARE, 0, np.int64(pending[at]), 1)


@compiled
def _put_run(tokens, state, table, pending):
    """End a run of empty blocks, and write the correction bits held back for it."""
    if state[RUN] > 0:
        size = _size(state[RUN]) - 1
        _put(tokens, state, table, size << 4, state[RUN], size)
        state[RUN] = 0
        _put_pending(tokens, state, pending, 0, state[PENDING])
        state[PENDING] = 0


@compiled
def _put_ac(tokens, state, table, block, rules, pending):
    low, last = rules[LOW], rules[LAST]
    before = max(rules[FIRST], 1) - 1  # place of the last that was not zero
    at = state[AT]  # a local place: one in memory would take most of the time
    for k in range(before + 1, last + 1):
        value = np.int64(block[ZIGZAG[k]])
        magnitude = abs(value) >> low
        if magnitude == 0:
            continue
        if state[RUN] > 0:
            _put_run(tokens, state, table, pending)
            at = state[AT]
        zeros = k - before - 1
        before = k
        while zeros > 15:
            tokens[at] = _token(table, 0xF0, 0, 0)
            at += 1
            zeros -= 16
        size = _size(magnitude)
        bits = magnitude if value > 0 else ~magnitude
        tokens[at] = _token(table, (zeros << 4) + size, bits, size)
        at += 1
    state[AT] = at
    if before < last:
        state[RUN] += 1
        if state[RUN] == _LONGEST_RUN or not rules[PROGRESSIVE]:
            _put_run(tokens, state, table, pending)


@compiled
def _put_refined(tokens, state, table, block, rules, pending):
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
            _put_run(tokens, state, table, pending)
            _put(tokens, state, table, 0xF0, 0, 0)
            zeros -= 16
            _put_pending(tokens, state, pending, start, held)
            held, start = 0, 0
        if magnitude > 1:
            pending[start + held] = magnitude & 1
            held += 1
            continue
        _put_run(tokens, state, table, pending)
        _put(tokens, state, table, (zeros << 4) + 1, np.int64(value > 0), 1)
        _put_pending(tokens, state, pending, start, held)
        zeros, held, start = 0, 0, 0
    if zeros > 0 or held > 0:
        state[RUN] += 1
        state[PENDING] += held
        if state[RUN] == _LONGEST_RUN or state[PENDING] > _MOST_PENDING:
            _put_run(tokens, state, table, pending)


@compiled
def fill_tokens(
    tokens: NDArray[np.uint32],
    blocks: NDArray[np.int32],
    slots: NDArray[np.int64],
    coefficients: NDArray[np.int16],
    rules: NDArray[np.int64],
) -> int:
    """Write a scan as tokens, and return their number; the rest is as in :func:`decode_scan`."""
    state, before = np.zeros(6, np.int64), np.zeros(4, np.int64)
    pending = np.zeros(_MOST_PENDING + 128, np.uint8)
    low, ac = rules[LOW], 4 + slots[0, 2]
    for mcu in range(blocks.shape[0]):
        if rules[INTERVAL] > 0 and mcu > 0 and mcu % rules[INTERVAL] == 0:
            _put_run(tokens, state, ac, pending)
            _put(tokens, state, _BARE, 0xD0 + (mcu // rules[INTERVAL] - 1) % 8, 0, 0)
            before[:] = 0
        for place in range(blocks.shape[1]):
            block = coefficients[blocks[mcu, place]]
            component, dc, ac = slots[place, 0], slots[place, 1], 4 + slots[place, 2]
            if rules[FIRST] == 0 and rules[HIGH] == 0:
                value = np.int64(block[0]) >> low
                change = value - before[component]
                before[component] = value
                size = _size(abs(change))
                _put(tokens, state, dc, size, change if change >= 0 else ~-change, size)
            elif rules[FIRST] == 0:
                _put(tokens, state, _BARE, 0, (np.int64(block[0]) >> low) & 1, 1)
            if rules[LAST] > 0:
                if rules[HIGH] == 0:
                    _put_ac(tokens, state, ac, block, rules, pending)
                else:
                    _put_refined(tokens, state, ac, block, rules, pending)
    _put_run(tokens, state, ac, pending)
    _put(tokens, state, _BARE, 0, 0, 0)
    return int(state[AT])


@compiled
def count_symbols(tokens: NDArray[np.uint32], counts: NDArray[np.int64]) -> int:
    """Add the uses of each symbol to `counts`, (8, 257), and return the bits behind them."""
    bits = np.int64(0)
    for token in tokens:
        table = np.int64(token >> (_SYMBOL + 8))
        bits += np.int64(token >> _SIZE) & 15
        if table < _BARE:
            counts[table, np.int64(token >> _SYMBOL) & 255] += 1
    return int(bits)


@compiled
def write_tokens(
    out: NDArray[np.uint8], tokens: NDArray[np.uint32], codes: NDArray[np.int64]
) -> int:
    """Write tokens into `out`, and return the number of bytes.

    `codes` (8, 256) holds code and length of each symbol, code · 32 + length, DC tables first.
    """
    at, held, count = np.int64(0), np.int64(0), np.int64(0)
    for token in tokens:
        table = np.int64(token >> (_SYMBOL + 8))
        symbol = np.int64(token >> _SYMBOL) & 255
        size = np.int64(token >> _SIZE) & 15
        ended = table == _BARE and size == 0
        if ended:  # ones fill the byte
            size = (8 - count) % 8
            held = held << size | ((np.int64(1) << size) - 1)
        else:
            if table < _BARE:
                code = codes[table, symbol]
                held = held << (code & 31) | code >> 5
                count += code & 31
            held = held << size | np.int64(token & _BITS)
        count += size
        while count >= 8:
            count -= 8
            byte = held >> count
            out[at] = byte
            at += 1
            if byte == 0xFF:  # a zero is stuffed behind it
                out[at] = 0
                at += 1
            held &= (np.int64(1) << count) - 1
        if ended and symbol:
            out[at], out[at + 1] = 0xFF, symbol
            at += 2
    return int(at)
