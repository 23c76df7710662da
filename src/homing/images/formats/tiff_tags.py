"""Image file directories of TIFF files and EXIF blocks, read and written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from homing.errors import PictureError

Order: TypeAlias = Literal["<", ">"]
"""Byte order as NumPy and struct write it."""

BYTE_ORDERS: Mapping[Order, Literal["little", "big"]] = MappingProxyType(
    {"<": "little", ">": "big"}
)

ORIENTATION = 274
EXIF_MARK = b"Exif\0\0"
"""Stands before the block in a JPEG, and by mistake in other kinds."""
SUB_DIRECTORIES = (34665, 34853, 40965)
"""EXIF, GPS and interoperability: values that are themselves offsets of directories."""

MAKER_NOTE = 37500
"""Tag of notes by a camera's maker; often with offsets that count from the file's beginning."""

_SIZES = MappingProxyType(
    {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
)
_NUMBERS = (1, 3, 4, 13)
_LONGS, _LONG_SIZE = (16, 17, 18), 8  # types of a BigTIFF
_MOST_NUMBERS = 200_000  # of a tag: strips of one row each, in planes, of the largest pictures


@dataclass(frozen=True)
class Entry:
    """One tag: its TIFF type, number of values, and the values' bytes in the file's order."""

    type: int
    count: int
    data: bytes
    at: int = field(default=0, compare=False)  # where a maker note stands; 0 for other tags

    def numbers(self, order: Order) -> tuple[int, ...]:
        """Return unsigned whole values; empty for other types."""
        if self.type not in _NUMBERS:
            return ()
        size = _SIZES[self.type]
        return tuple(
            int.from_bytes(self.data[at : at + size], BYTE_ORDERS[order])
            for at in range(0, self.count * size, size)
        )


@dataclass(frozen=True)
class Directory:
    """A directory: its tags, the directories beneath it, and the place of the next one."""

    order: Order  # byte order of all values
    entries: Mapping[int, Entry]  # by tag; those of SUB_DIRECTORIES left out
    beneath: Mapping[int, "Directory"] = field(default_factory=lambda: MappingProxyType({}))
    following: int = 0  # offset of the next directory, 0 if none
    unread: tuple[int, ...] = ()  # tags of an unknown type, without a value, or come once more

    @property
    def maker_note(self) -> Entry | None:
        """The maker note in this directory or beneath, or None."""
        own = self.entries.get(MAKER_NOTE)
        found = (each.maker_note for each in self.beneath.values())
        return own or next((each for each in found if each is not None), None)

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the whole values of a tag; empty if absent or of another type."""
        entry = self.entries.get(tag)
        if entry is not None and entry.count > _MOST_NUMBERS:
            raise PictureError(f"tag {tag} has {entry.count} values; save the picture again")
        return entry.numbers(self.order) if entry else ()

    def number(self, tag: int, default: int) -> int:
        """Return the first whole value of a tag, or `default`."""
        entry = self.entries.get(tag)
        if entry is None or entry.type not in _NUMBERS:
            return default
        return int.from_bytes(entry.data[: _SIZES[entry.type]], BYTE_ORDERS[self.order])


def _order(data: bytes) -> Order | None:
    return "<" if data[:2] == b"II" else ">" if data[:2] == b"MM" else None


def _number(data: bytes, at: int, size: int, order: Order) -> int:
    if at < 0 or at + size > len(data):
        raise PictureError("a directory of tags is truncated; the file is damaged")
    return int.from_bytes(data[at : at + size], BYTE_ORDERS[order])


@dataclass(frozen=True)
class _Widths:
    """Bytes of the numbers in a directory."""

    count: int = 2  # of entries
    offset: int = 4  # and of a tag's count of values


_ORDINARY, _BIG = _Widths(), _Widths(8, 8)


def read_directory(
    data: bytes, at: int, order: Order, *, depth: int = 2, big: bool = False
) -> Directory:
    """Read the directory at an offset, and `depth` levels of directories beneath it.

    `data` begins with the "II" or "MM" of the TIFF file or EXIF block. Of a BigTIFF (`big`) numbers
    of 64 bits become those of 32, as in a file of less than 4 GiB they can.
    """
    wide = _BIG if big else _ORDINARY
    count = _number(data, at, wide.count, order)
    row, first = 4 + 2 * wide.offset, at + wide.count
    if first + row * count > len(data):
        raise PictureError("a directory of tags is truncated; the file is damaged")
    entries: dict[int, Entry] = {}
    beneath: dict[int, Directory] = {}
    unread: list[int] = []
    left = len(data)
    for place in range(first, first + row * count, row):
        tag = _number(data, place, 2, order)
        kind = _number(data, place + 2, 2, order)
        number = _number(data, place + 4, wide.offset, order)
        value = place + 4 + wide.offset
        length = number * (_SIZES.get(kind) or (_LONG_SIZE if big and kind in _LONGS else 0))
        start = value if length <= wide.offset else _number(data, value, wide.offset, order)
        # An unknown type or no values: there is nothing to keep. Of two the first counts.
        if not length or tag in entries or tag in beneath:
            unread.append(tag)
            continue
        left -= length
        if start + length > len(data) or left < 0:  # overlapping values could fill the memory
            raise PictureError(f"tag {tag} reaches beyond the end; the file is damaged")
        if tag in SUB_DIRECTORIES:
            if depth:
                target = _number(data, value, wide.offset, order)
                beneath[tag] = read_directory(data, target, order, depth=depth - 1, big=big)
        else:
            stands = start if tag == MAKER_NOTE and length > 4 else 0
            entry = Entry(kind, number, bytes(data[start : start + length]), stands)
            entries[tag] = _narrowed(entry, order) if kind in _LONGS else entry
    end = first + row * count
    following = _number(data, end, wide.offset, order) if end + wide.offset <= len(data) else 0
    return Directory(order, entries, beneath, following, tuple(unread))


def _narrowed(entry: Entry, order: Order) -> Entry:
    """Return numbers of 64 bits as those of 32; larger ones, no offset of a file, as the most."""
    numbers = np.frombuffer(entry.data, f"{order}u8")
    return Entry(4, entry.count, np.minimum(numbers, 2**32 - 1).astype(f"{order}u4").tobytes())


def parse_block(block: bytes) -> Directory | None:
    """Read the first directory of an EXIF or MPF block; None if it is damaged."""
    order = _order(block)
    if order is None or len(block) < 8:
        return None
    try:
        return read_directory(block, _number(block, 4, 4, order), order)
    except PictureError:
        return None


def first_number(block: bytes, tag: int) -> int | None:
    """Return a whole value of an EXIF or MPF block's first directory, or None.

    Only the directory itself is read, so other values of the block may be damaged.
    """
    order = _order(block)
    if order is None or len(block) < 8:
        return None
    try:
        at = _number(block, 4, 4, order)
        for place in range(at + 2, at + 2 + 12 * _number(block, at, 2, order), 12):
            if _number(block, place, 2, order) == tag:
                kind = _number(block, place + 2, 2, order)
                return _number(block, place + 8, _SIZES[kind], order) if kind in _NUMBERS else None
    except PictureError:
        return None
    return None


def orientation_of(exif: bytes | None) -> int | None:
    """Return the orientation, 1..8, of an EXIF block, its mark before it or not; None if none."""
    found = first_number(exif.removeprefix(EXIF_MARK), ORIENTATION) if exif else None
    return found if found is not None and 1 <= found <= 8 else None


def write_directory(directory: Directory, at: int, *, note_stands: bool = False) -> bytes:
    """Return the bytes of a directory that will stand at `at`, an even offset of a file.

    Layout: the entries, no following directory, then the longer values and the directories
    beneath, each at an even offset. `note_stands`: the maker note stands in the file already,
    where it stood before.
    """

    def packed(value: int, size: int) -> bytes:
        return value.to_bytes(size, BYTE_ORDERS[directory.order])

    tags = sorted({*directory.entries, *directory.beneath})
    rows: list[bytes] = []
    tail = bytearray()
    base = at + 2 + 12 * len(tags) + 4
    for tag in tags:
        entry = directory.entries.get(tag)
        if entry is None:
            value = packed(base + len(tail), 4)
            tail += write_directory(
                directory.beneath[tag], base + len(tail), note_stands=note_stands
            )
            entry = Entry(4, 1, value)
        elif entry.at and note_stands:
            value = packed(entry.at, 4)
        elif len(entry.data) <= 4:
            value = entry.data.ljust(4, b"\0")
        else:
            value = packed(base + len(tail), 4)
            tail += entry.data
        tail += b"\0" * (len(tail) % 2)
        rows.append(packed(tag, 2) + packed(entry.type, 2) + packed(entry.count, 4) + value)
    return packed(len(tags), 2) + b"".join(rows) + packed(0, 4) + bytes(tail)
