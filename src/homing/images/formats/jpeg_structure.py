"""Structure of a JPEG: its segments, its scans, and what stands behind the picture."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.errors import PictureError
from homing.images.limits import check_parts

SOI, EOI, SOS, DQT, DHT, DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_FILL = re.compile(rb"\xff+(?=\xff)")
_MOST_SCANS = 256
_MOST_CODES = 1024  # segments of Huffman tables
_MOST_BLOCKS_OF_MCU = 10
_COEFFICIENTS = 64
_BITS = 14


@dataclass(frozen=True)
class Part:
    """A segment, with fill bytes before its marker; of a scan, with its coded data."""

    marker: int
    start: int  # of the fill bytes or the marker
    payload: int  # offset behind the length
    end: int  # of the segment
    after: int  # of the coded data; for other segments `end`


@dataclass(frozen=True)
class Place:
    """A component as the frame describes it."""

    identifier: int
    horizontal: int  # sampling
    vertical: int
    table: int  # number of its quantisation table
    shape: tuple[int, int]  # rows and columns of blocks, padded to whole MCUs
    shown: tuple[int, int]  # the same without padding
    first: int  # number of its first block among those of all components


@dataclass(frozen=True)
class Scan:
    """A scan: where it is, and how it is coded."""

    part: Part
    components: tuple[int, ...]  # indices
    tables: tuple[tuple[int, int], ...]  # DC and AC table of each
    band: tuple[int, int]  # first and last coefficient
    high: int  # successive approximation: bits before, and from this scan on
    low: int
    interval: int  # MCUs between restarts, 0: none


@dataclass(frozen=True)
class Structure:
    """The parts of a JPEG's first picture, in order, and its frame."""

    parts: tuple[Part, ...]
    end: int  # offset behind the end-of-image marker
    progressive: bool
    places: tuple[Place, ...]
    scans: tuple[Scan, ...]
    tables: dict[int, NDArray[np.int32]]  # quantisation, (64,) in the order of coding

    @property
    def blocks(self) -> int:
        """Number of blocks of all components."""
        return sum(place.shape[0] * place.shape[1] for place in self.places)


def walk(
    data: bytes, start: int = 0, marks: NDArray[np.int64] | None = None
) -> tuple[tuple[Part, ...], int]:
    """Return the parts of the JPEG that begins at `start`, and the offset behind it.

    `marks`, if given, are :func:`ends_of_data` of `data`.
    """
    parts: list[Part] = []
    at = start + 2
    while True:
        begin = at
        if fill := _FILL.match(data, at):
            at = fill.end()
        if at + 2 > len(data) or data[at] != 0xFF:
            raise PictureError("there are stray bytes between its segments")
        marker = data[at + 1]
        if marker == EOI:
            return tuple(parts), at + 2
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (SOI, 0x00, 0x01) or 0xD0 <= marker <= 0xD7 or not at + 4 <= end <= len(data):
            raise PictureError("its segments are damaged")
        after = end
        if marker == SOS:
            marks = ends_of_data(data) if marks is None else marks
            found = marks[np.searchsorted(marks, end) :]
            after = int(found[0]) if len(found) else len(data)
        check_parts(len(parts), len(data), "JPEG")
        parts.append(Part(marker, begin, at + 4, end, after))
        at = after


def ends_of_data(data: bytes) -> NDArray[np.int64]:
    """Return the offsets at which coded data end: markers other than restarts."""
    array = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(array[:-1] == 0xFF)
    following = array[places + 1]
    found: NDArray[np.int64] = places[(following != 0) & ((following & 0xF8) != 0xD0)]
    return found


def read_structure(data: bytes) -> Structure:
    """Read a JPEG of Huffman-coded scans; `PictureError` says what is out of the ordinary."""
    parts, end = walk(data)
    frames = [part for part in parts if part.marker in FRAMES]
    scans = [part for part in parts if part.marker == SOS]
    if len(frames) != 1 or not scans or frames[0].start > scans[0].start:
        raise PictureError("it has no single frame before its scans")
    if frames[0].marker not in _HUFFMAN_FRAMES:
        raise PictureError("its coding is lossless, hierarchical or arithmetic")
    if any(part.marker == DQT and part.start > scans[0].start for part in parts):
        raise PictureError("its quantisation changes between scans")
    if any(part.marker in (0xCC, 0xDC, 0xDE, 0xDF) for part in parts):
        raise PictureError("it has a rare segment (DAC, DNL, DHP or EXP)")
    if sum(part.marker == DHT for part in parts) > _MOST_CODES:
        raise PictureError("it has too many Huffman tables")
    places = _places(data[frames[0].payload : frames[0].end])
    progressive = frames[0].marker == 0xC2
    found = tuple(_scans(data, parts, places, progressive=progressive))
    _check_complete(found, len(places), progressive=progressive)
    tables: dict[int, NDArray[np.int32]] = {}
    for part in parts:
        if part.marker == DQT:
            tables.update(_quantisation(data[part.payload : part.end]))
    if any(place.table not in tables for place in places):
        raise PictureError("a quantisation table is missing")
    return Structure(parts, end, progressive, places, found, tables)


def _places(frame: bytes) -> tuple[Place, ...]:
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    rows = [frame[at : at + 3] for at in range(6, len(frame), 3)]
    if frame[0] != 8 or len(rows) != frame[5] or len(frame) != 6 + 3 * frame[5] or not rows:
        raise PictureError("its frame is damaged or not of 8 bits")
    samplings = [(row[1] >> 4, row[1] & 15) for row in rows]
    if any(not 1 <= each <= 4 for pair in samplings for each in pair):
        raise PictureError("its sampling is damaged")
    most = tuple(max(pair[axis] for pair in samplings) for axis in (0, 1))
    places: list[Place] = []
    first = 0
    for row, (h, v) in zip(rows, samplings, strict=True):
        columns = -(-width // (8 * most[0])) * h
        lines = -(-height // (8 * most[1])) * v
        shown = (_shown(height, v, most[1]), _shown(width, h, most[0]))
        places.append(Place(row[0], h, v, row[2], (lines, columns), shown, first))
        first += lines * columns
    if len({place.identifier for place in places}) != len(places):
        raise PictureError("two of its components have one name")
    return tuple(places)


def _shown(side: int, sampling: int, most: int) -> int:
    samples = -(-side * sampling // most)
    return -(-samples // 8)


def _scans(
    data: bytes, parts: tuple[Part, ...], places: tuple[Place, ...], *, progressive: bool
) -> Iterator[Scan]:
    interval = 0
    names = [place.identifier for place in places]
    for part in parts:
        payload = data[part.payload : part.end]
        if part.marker == DRI and len(payload) == 2:
            interval = int.from_bytes(payload, "big")
        if part.marker != SOS:
            continue
        count = payload[0] if payload else 0
        if not 1 <= count <= 4 or len(payload) != 4 + 2 * count:
            raise PictureError("a scan's header is damaged")
        chosen = payload[1 : 1 + 2 * count : 2]
        if any(each not in names for each in chosen) or len(set(chosen)) != count:
            raise PictureError("a scan names a component that is not there")
        tables = tuple((each >> 4, each & 15) for each in payload[2 : 2 + 2 * count : 2])
        if any(each > 3 for pair in tables for each in pair):
            raise PictureError("a scan names a table that cannot be")
        first, last, bits = payload[-3:]
        components = tuple(names.index(each) for each in chosen)
        size = sum(places[each].horizontal * places[each].vertical for each in components)
        if count > 1 and size > _MOST_BLOCKS_OF_MCU:
            raise PictureError("a scan interleaves too much")
        scan = Scan(part, components, tables, (first, last), bits >> 4, bits & 15, interval)
        _check_scan(scan, progressive=progressive)
        yield scan


def _check_scan(scan: Scan, *, progressive: bool) -> None:
    first, last = scan.band
    if progressive:
        dc = first == 0
        sound = last == 0 if dc else first <= last < _COEFFICIENTS and len(scan.components) == 1
        sound = sound and scan.low < _BITS and scan.high in (0, scan.low + 1)
    else:
        # libjpeg's authors allow any band in a sequential scan, for it has but one.
        sound = (first, last, scan.high, scan.low) == (0, _COEFFICIENTS - 1, 0, 0)
    if not sound:
        raise PictureError("a scan's band of coefficients is not valid")


def _check_complete(scans: tuple[Scan, ...], components: int, *, progressive: bool) -> None:
    """Check that scans build on each other, and that all bits of all coefficients are there."""
    if len(scans) > _MOST_SCANS:
        raise PictureError(f"it has {len(scans)} scans")
    unread = -1
    known = np.full((components, _COEFFICIENTS), unread)
    for scan in scans:
        band = slice(scan.band[0], scan.band[1] + 1)
        for component in scan.components:
            before = known[component, band]
            # A coefficient's first scan has no bits before it; a later one starts where that ended.
            expected = unread if scan.high == 0 else scan.high
            if (before != expected).any():
                raise PictureError("its scans do not build on each other")
            known[component, band] = scan.low
    if (known != 0).any():
        raise PictureError("it lacks scans" if progressive else "it lacks a component's scan")


def _quantisation(payload: bytes) -> Iterator[tuple[int, NDArray[np.int32]]]:
    at = 0
    while at < len(payload):
        wide, number = payload[at] >> 4, payload[at] & 15
        size = 64 * (2 if wide else 1)
        part = payload[at + 1 : at + 1 + size]
        if wide > 1 or number > 3 or len(part) != size:
            raise PictureError("a quantisation table is damaged")
        values = np.frombuffer(part, ">u2" if wide else "u1").astype(np.int32)
        if not values.all():
            raise PictureError("a quantisation table divides by zero")
        yield number, values
        at += 1 + size
