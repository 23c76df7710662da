"""Quantised DCT coefficients of a JPEG, read from it and written back into it."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from homing.errors import PictureError
from homing.images.formats.blocks.look import Look
from homing.images.formats.jpeg import JpegHeader, is_credentials, make_segment
from homing.images.formats.jpeg_behind import mend_behind
from homing.images.formats.jpeg_segments import clean_segments
from homing.images.formats.jpeg_structure import (
    DHT,
    DQT,
    FRAMES,
    SOS,
    Part,
    Place,
    Scan,
    Structure,
    read_structure,
    walk,
)

Colour: TypeAlias = Literal["grey", "ycc", "rgb", "cmyk", "ycck"]
"""Meaning of the components of a JPEG, as libjpeg decides it."""

_ADOBE = 0xEE
_MOST_CODE = 16  # bits


@dataclass(frozen=True, eq=False)
class Component:
    """The quantised coefficients of a component."""

    identifier: int
    horizontal: int  # sampling factors, 1..4
    vertical: int
    table: NDArray[np.int32]  # (8, 8), steps of quantisation in natural order
    blocks: NDArray[np.int16]  # (rows, columns, 8, 8), natural order, padded to whole MCUs


@dataclass(frozen=True, eq=False)
class Coefficients:
    """The quantised coefficients of a JPEG."""

    width: int
    height: int
    colour: Colour
    components: tuple[Component, ...]
    flat: NDArray[np.int16]  # (N, 64), the blocks of all components, which look into it

    def copy(self) -> "Coefficients":
        """Return a copy whose blocks may be changed."""
        return _split(replace(self, flat=self.flat.copy()))


def colour_of(header: JpegHeader) -> Colour:
    """Return what the components of a JPEG stand for, as libjpeg decides it.

    A JFIF segment says YCbCr, an Adobe one is asked for its transform, and then the components'
    names count: the letters R, G and B are those colours.
    """
    adobe = [each for each in header.payloads(_ADOBE, b"Adobe") if len(each) >= 7]
    transform = adobe[-1][6] if adobe else None
    if header.components == 1:
        return "grey"
    if header.components == 4:
        return "ycck" if transform == 2 else "cmyk"
    if any(len(each) >= 9 for each in header.payloads(0xE0, b"JFIF\0")):
        return "ycc"
    if transform is not None:
        return "ycc" if transform else "rgb"
    return "rgb" if header.names == b"RGB" else "ycc"


def read_coefficients(data: bytes, header: JpegHeader) -> Coefficients:
    """Read the coefficients of a JPEG whose header was checked against the limits.

    Read are baseline, extended sequential and progressive files of 1, 3 or 4 components and any
    sampling. A :class:`PictureError` says why another, or a damaged one, cannot be read so; it is
    stricter than decoders are.
    """
    from homing.images.formats.jpeg_scan_reader import ZIGZAG, decode_scan

    structure = read_structure(data)
    if len(structure.places) not in (1, 3, 4):
        raise PictureError(f"it has {len(structure.places)} components")
    array = np.frombuffer(data, np.uint8)
    found = np.zeros((structure.blocks, 64), np.int16)
    tables = np.zeros((8, 1 << 16), np.uint16)
    scans = iter(structure.scans)
    for part in structure.parts:
        if part.marker == DHT:
            _read_codes(data[part.payload : part.end], tables)
        elif part.marker == SOS:
            scan = next(scans)
            blocks, slots = _order(structure, scan)
            parts = _between_restarts(array, scan, len(blocks))
            rules = _rules(structure, scan)
            if not decode_scan(array, parts, blocks, slots, found, tables, rules):
                raise PictureError("the data of a scan are damaged")
    components = []
    for place in structure.places:
        table = np.empty(64, np.int32)
        table[ZIGZAG] = structure.tables[place.table]
        empty = np.empty((*place.shape, 0, 0), np.int16)
        components.append(
            Component(
                place.identifier, place.horizontal, place.vertical, table.reshape(8, 8), empty
            )
        )
    colour = colour_of(header)
    return _split(Coefficients(header.width, header.height, colour, tuple(components), found))


def _split(coefficients: Coefficients) -> Coefficients:
    """Return coefficients whose components look into their flat array."""
    components, first = [], 0
    for each in coefficients.components:
        rows, columns = each.blocks.shape[:2]
        last = first + rows * columns
        blocks = coefficients.flat[first:last].reshape(rows, columns, 8, 8)
        components.append(replace(each, blocks=blocks))
        first = last
    return replace(coefficients, components=tuple(components))


def write_coefficients(data: bytes, coefficients: Coefficients) -> bytes:
    """Return the JPEG `data` with other coefficients in its own scans.

    All else stays byte for byte and in its order, but for the Huffman tables, which become the best
    ones, a C2PA manifest store and previews above thumbnail size, which are left out. Behind the
    picture stays what may be shown; an index of several pictures (MPF) is mended.
    """
    structure = read_structure(data)
    blocks = _flat(structure, coefficients)
    skipped = credentials_among(data, structure.parts)
    payloads = [(part.marker, data[part.payload : part.end]) for part in structure.parts]
    cleaned, _ = clean_segments(payloads, Look.of_jpeg(data))
    pieces: list[bytes | memoryview] = [data[:2]]
    view, length, moved = memoryview(data), 2, {}
    scans = {scan.part.start: scan for scan in structure.scans}
    for place, part in enumerate(structure.parts):
        if part.marker == DHT or part in skipped:
            continue
        moved[part.start] = length
        new: list[bytes | memoryview] = [view[part.start : part.end]]
        if place in cleaned:
            payload = cleaned[place]
            new = [] if payload is None else [make_segment(part.marker, payload)]
        if part.marker == SOS:
            codes, coded = _code(structure, scans[part.start], blocks)
            new = [codes, *new, coded]
        pieces += new
        length += sum(map(len, new))
    pieces.append(b"\xff\xd9")
    written = bytearray().join(pieces)
    tail = mend_behind(data, written, structure.parts, moved, structure.end)
    return bytes(written + tail)


def excerpt(
    data: bytes, coefficients: Coefficients, rows: NDArray[np.intp]
) -> tuple[bytes, Coefficients]:
    """Return some rows of MCUs, one below the other, and a JPEG that they can be written into.

    It has one scan a component and no Huffman tables yet, and is decoded as the whole one is. The
    last row of MCUs, which may reach beyond the picture, counts as a whole one.
    """
    most = max(each.vertical for each in coefficients.components)
    parts, _ = walk(data)
    pieces = [data[:2]]
    for part in parts:
        piece = data[part.start : part.end]
        if part.marker in FRAMES:
            height = (len(rows) * 8 * most).to_bytes(2, "big")
            pieces.append(b"\xff\xc1" + piece[2:5] + height + piece[7:])
        elif part.marker in (0xE0, _ADOBE, DQT):
            pieces.append(piece)
    chosen = []
    for component in coefficients.components:
        pieces.append(b"\xff\xda\0\x08\1" + bytes((component.identifier, 0, 0, 63, 0)))
        own = rows[:, None] * component.vertical + np.arange(component.vertical)
        chosen.append(replace(component, blocks=component.blocks[own.ravel()]))
    flat = np.concatenate([each.blocks.reshape(-1, 64) for each in chosen])
    part_of = replace(
        coefficients, height=len(rows) * 8 * most, components=tuple(chosen), flat=flat
    )
    return b"".join((*pieces, b"\xff\xd9")), _split(part_of)


def credentials_among(data: bytes, parts: Sequence[Part]) -> set[Part]:
    """Return the segments of a C2PA manifest store."""
    payloads = [(part.marker, data[part.payload : part.end]) for part in parts]
    return {part for part, gone in zip(parts, is_credentials(payloads), strict=True) if gone}


def _flat(structure: Structure, coefficients: Coefficients) -> NDArray[np.int16]:
    shapes = [(*place.shape, 8, 8) for place in structure.places]
    if [each.blocks.shape for each in coefficients.components] != shapes:
        raise PictureError("the coefficients are those of another JPEG")
    return coefficients.flat


def _rules(structure: Structure, scan: Scan) -> NDArray[np.int64]:
    return np.array(
        [*scan.band, scan.high, scan.low, structure.progressive, scan.interval], np.int64
    )


def _order(structure: Structure, scan: Scan) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the numbers of the blocks of a scan, (MCUs, b), and component and tables, (b, 3)."""
    places = [structure.places[each] for each in scan.components]
    if len(places) == 1:
        (place,) = places
        rows, columns = place.shown
        numbers = np.arange(rows)[:, None] * place.shape[1] + np.arange(columns)
        return (
            (numbers.reshape(-1, 1) + place.first).astype(np.int32),
            np.array([[scan.components[0], *scan.tables[0]]], np.int64),
        )
    slots = [
        (component, *tables)
        for component, tables, place in zip(scan.components, scan.tables, places, strict=True)
        for _ in range(place.horizontal * place.vertical)
    ]
    return np.concatenate([_interleaved(each) for each in places], 1), np.array(slots, np.int64)


def _interleaved(place: Place) -> NDArray[np.int32]:
    rows, columns = place.shape
    numbers = np.arange(place.first, place.first + rows * columns, dtype=np.int32)
    h, v = place.horizontal, place.vertical
    mcus = numbers.reshape(rows // v, v, columns // h, h).swapaxes(1, 2)
    return mcus.reshape(-1, v * h)


def _between_restarts(array: NDArray[np.uint8], scan: Scan, mcus: int) -> NDArray[np.int64]:
    """Return start and end of the data between restarts, (n, 2)."""
    start, end = scan.part.end, scan.part.after
    part = array[start:end]
    places = np.flatnonzero((part[:-1] == 0xFF) & ((part[1:] & 0xF8) == 0xD0))
    expected = -(-mcus // scan.interval) - 1 if scan.interval else 0
    if len(places) != expected or ((part[places + 1] & 7) != np.arange(expected) % 8).any():
        raise PictureError("restarts are missing in a scan")
    starts = np.concatenate([[start], start + places + 2])
    return np.stack([starts, np.concatenate([start + places, [end]])], 1).astype(np.int64)


def _read_codes(payload: bytes, tables: NDArray[np.uint16]) -> None:
    """Read Huffman tables into (8, 65536): length and symbol for each 16 bits, DC first."""
    at = 0
    while at < len(payload):
        kind, number = payload[at] >> 4, payload[at] & 15
        counts = payload[at + 1 : at + 17]
        symbols = payload[at + 17 : at + 17 + sum(counts)]
        if kind > 1 or number > 3 or len(counts) != 16 or len(symbols) != sum(counts):
            raise PictureError("a Huffman table is damaged")
        table = tables[4 * kind + number]
        table[:] = 0
        code = used = 0
        for length, count in enumerate(counts, 1):
            for symbol in symbols[used : used + count]:
                span = 1 << (_MOST_CODE - length)
                if code + span > 1 << _MOST_CODE:
                    raise PictureError("a Huffman table is damaged")
                table[code : code + span] = length << 8 | symbol
                code += span
            used += count
        at += 17 + sum(counts)


def _code(
    structure: Structure, scan: Scan, coefficients: NDArray[np.int16]
) -> tuple[bytes, memoryview]:
    """Code a scan with its best tables: their segment, and the coded data."""
    from homing.images.formats.jpeg_scan_writer import count_symbols, fill_tokens, write_tokens

    blocks, slots = _order(structure, scan)
    restarts = len(blocks) // scan.interval if scan.interval else 0
    # A token for each coefficient, and by blocks one of DC, one of an end, three of long runs.
    most = np.count_nonzero(coefficients) + 5 * blocks.size + restarts + 1
    tokens = np.empty(most, np.uint32)
    tokens = tokens[: fill_tokens(tokens, blocks, slots, coefficients, _rules(structure, scan))]
    codes, counts = np.zeros((8, 256), np.int64), np.zeros((8, 257), np.int64)
    bits = count_symbols(tokens, counts)
    payload = b""
    for table in np.flatnonzero(counts.any(1)):
        lengths, symbols = _best_code(counts[table])
        payload += bytes((16 * (table // 4) + table % 4, *lengths, *symbols))
        codes[table] = _assigned(lengths, symbols)
        bits += int((counts[table, :256] * (codes[table] & 31)).sum())
    # Every byte may be 0xFF, behind which a zero is stuffed.
    out = np.empty(2 * (bits // 8 + 1) + 4 * (restarts + 1) + 64, np.uint8)
    length = write_tokens(out, tokens, codes)
    segment = b"\xff\xc4" + (2 + len(payload)).to_bytes(2, "big") + payload
    return segment if payload else b"", memoryview(out[:length].tobytes())


def _best_code(counts: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Return Huffman's code of at most 16 bits: symbols of each length, and their order.

    As ITU T.81, K.2 has it: one more symbol keeps the code of ones alone free.
    """
    counts = counts.copy()
    counts[256] = 1
    heap = [(int(counts[s]), -int(s), [int(s)]) for s in np.flatnonzero(counts)]
    heapq.heapify(heap)
    depth = [0] * 257
    while len(heap) > 1:
        rare, other = heapq.heappop(heap), heapq.heappop(heap)
        merged = rare[2] + other[2]
        for symbol in merged:
            depth[symbol] += 1
        heapq.heappush(heap, (rare[0] + other[0], min(rare[1], other[1]), merged))
    number = [depth.count(length) if length else 0 for length in range(max(257, max(depth) + 1))]
    for length in range(len(number) - 1, _MOST_CODE, -1):
        while number[length]:
            shorter = length - 2
            while not number[shorter]:
                shorter -= 1
            number[length] -= 2
            number[length - 1] += 1
            number[shorter + 1] += 2
            number[shorter] -= 1
    longest = max(length for length in range(_MOST_CODE + 1) if number[length])
    number[longest] -= 1  # the symbol that stood for the code of ones
    symbols = sorted((depth[symbol], symbol) for symbol in range(256) if depth[symbol])
    return number[1 : _MOST_CODE + 1], [symbol for _, symbol in symbols]


def _assigned(lengths: Sequence[int], symbols: Sequence[int]) -> NDArray[np.int64]:
    """Return code · 32 + length of each symbol, (256,)."""
    codes = np.zeros(256, np.int64)
    code = used = 0
    for length, count in enumerate(lengths, 1):
        for symbol in symbols[used : used + count]:
            codes[symbol] = code << 5 | length
            code += 1
        used += count
        code <<= 1
    return codes
