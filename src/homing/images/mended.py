"""Files that are cut short, or slightly damaged, mended for liberal reading.

A strict reading refuses them: a released file must hold all that its source held.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from homing.errors import PictureError
from homing.images.formats.jpeg_structure import EOI, FRAMES, SOI, SOS, ends_of_data
from homing.images.formats.png import CARRIED, OF_LAYOUT, PALETTE, SIGNATURE, chunk, coded_length
from homing.images.formats.read_only import first_frame
from homing.images.formats.tiff import encode_tiff, parse_tiff
from homing.images.formats.tiff_pixels import decode_tiff
from homing.images.kinds import count_blanks, sniff
from homing.images.limits import check_pixels
from homing.options import Limits

_Read = TypeVar("_Read")

_DNL = 0xDC
_SLICE = 1 << 16  # bytes inflated at a time: of a damaged stream what came before counts
_LEAST = 64  # bytes of coded data that show anything
_LEAST_ROWS = 100  # one in so many must be there
_OWN_PALETTE = 128  # flag of a GIF's frame
_CODE_BITS = 12  # of a GIF's codes, at most
_MOST_FILLED = 40_000_000  # pixels of a GIF cut short
_MOST_PARTS, _MOST_CHUNKS = 10_000, 200_000  # of a JPEG, of a PNG

CUT = "the file is cut short: read as far as it goes"
STRAY = "the file has stray bytes, which were passed over"
LATE = "the file tells its height at the end (DNL)"


@dataclass(frozen=True)
class Mended:
    """A file as it can be read, and what was wrong with it."""

    data: bytes
    notes: tuple[str, ...]


def read_liberally(
    data: bytes, read: Callable[[bytes], _Read], limits: Limits
) -> tuple[_Read, tuple[str, ...]]:
    """Read a file; if that fails, as far as it can be mended. Returns what was wrong, too."""
    try:
        return read(data), ()
    except PictureError as error:
        try:
            mended = mend(data, limits)
            if mended is not None:
                return read(mended.data), mended.notes
        except PictureError:  # the first reason is the file's own
            pass
        raise error from None


def mend(data: bytes, limits: Limits) -> Mended | None:
    """Mend a file: blanks in front of any kind, a JPEG or PNG, the end of a WebP, TIFF or GIF.

    Returns None if there is nothing to mend.
    """
    notes: list[str] = []
    if not sniff(data):
        blanks = count_blanks(data)
        if not blanks:
            return None
        data = data[blanks:]
        notes.append(STRAY)
    made = _MENDERS.get(sniff(data), _leave)(data, notes, limits)
    if made is None or not notes:
        return None
    return Mended(made, tuple(dict.fromkeys(notes)))


def _leave(data: bytes, notes: list[str], limits: Limits) -> bytes:
    del notes, limits
    return data


def _mend_jpeg(data: bytes, notes: list[str], limits: Limits) -> bytes | None:
    """Join the whole parts of a JPEG; None if too little of its scans is there."""
    del limits  # checked by who reads it
    parts: list[bytes] = []
    frame = shown = 0
    for marker, start, end, after in _whole_parts(data, notes):
        if marker in FRAMES:
            frame = len(parts)
        if marker == _DNL and shown:
            notes.append(LATE)
            head = parts[frame]
            parts[frame] = head[:5] + data[start + 4 : start + 6] + head[7:]
            continue
        shown += after - end
        part = data[start:after]
        parts.append(part.rstrip(b"\xff") if after == len(data) else part)
        if len(parts) > _MOST_PARTS:
            return None
    if shown < _LEAST:
        return None
    return b"".join((b"\xff\xd8", *parts, b"\xff\xd9"))


def _whole_parts(data: bytes, notes: list[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yield marker, start and end of each whole segment, and where its coded data end."""
    marks = ends_of_data(data)
    at = 2
    while True:
        if data[at : at + 1] != b"\xff":
            notes.append(STRAY if at < len(data) else CUT)
            following = marks[np.searchsorted(marks, at) :]
            if not len(following):
                return
            at = int(following[0])
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        marker = data[at + 1] if at + 1 < len(data) else 0
        if marker == EOI:
            return
        end = after = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in (SOI, 0x00, 0x01) or not at + 4 <= end <= len(data):
            notes.append(CUT)
            return
        if marker == SOS:
            following = marks[np.searchsorted(marks, end) :]
            after = int(following[0]) if len(following) else len(data)
        yield marker, at, end, after
        at = after


def _mend_png(data: bytes, notes: list[str], limits: Limits) -> bytes | None:
    """Put the sound chunks of a PNG together; None if too little is there."""
    head = data[16:29]
    if data[8:16] != b"\0\0\0\rIHDR" or len(head) < 13:
        return None
    width, height = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    check_pixels(width, height, limits)
    chunks, coded = _sound_chunks(data, head[9], notes)
    if not notes:
        return None
    length = coded_length(width, height, head[8], head[9], interlaced=bool(head[12]))
    rows, whole = _inflate(coded, length)
    if len(rows) * _LEAST_ROWS < length:
        return None
    if not whole:
        if len(rows) < length:
            notes.append(CUT)
        coded = zlib.compress(rows.ljust(length, b"\0"), 1)
    return b"".join((SIGNATURE, *chunks, chunk(b"IDAT", coded), chunk(b"IEND", b"")))


def _sound_chunks(data: bytes, colour: int, notes: list[str]) -> tuple[list[bytes], bytes]:
    """Return the chunks in front of the pixels that are needed and sound, and the coded pixels."""
    chunks: list[bytes] = []
    coded: list[bytes] = []
    at = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        start = at + 8
        end = start + int.from_bytes(data[at : at + 4], "big")
        name, content = data[at + 4 : start], data[start:end]
        if len(data) < end + 4:
            notes.append(CUT)
            if name == b"IDAT":
                coded.append(content)
            break
        if name == b"IEND":
            break
        sound = zlib.crc32(content, zlib.crc32(name)) == int.from_bytes(data[end : end + 4], "big")
        if not sound:
            notes.append(f"the file is damaged (checksum of {name.decode('latin-1')!r})")
        if name == b"IDAT":
            coded.append(content)
        needed = name in (b"IHDR", b"tRNS") or (name == b"PLTE" and colour == PALETTE)
        if needed or (sound and name in CARRIED | OF_LAYOUT):
            chunks.append(chunk(name, content))
        at = end + 4
    return chunks, b"".join(coded)


def _inflate(coded: bytes, length: int) -> tuple[bytes, bool]:
    """Inflate as far as it goes, at most `length` bytes; and whether the stream is whole."""
    inflater = zlib.decompressobj()
    parts: list[bytes] = []
    left = length
    for at in range(0, len(coded), _SLICE):
        try:
            part = inflater.decompress(inflater.unconsumed_tail + coded[at : at + _SLICE], left + 1)
        except zlib.error:
            break
        parts.append(part[:left])
        left -= len(parts[-1])
        if not left:
            break
    return b"".join(parts), inflater.eof and not left


def _mend_webp(data: bytes, notes: list[str], limits: Limits) -> bytes:
    """Fill up a WebP to the length that it claims: of a lossy one the rest is left as predicted."""
    del limits
    return _filled(data, notes, int.from_bytes(data[4:8], "little") + 8)


def _mend_tiff(data: bytes, notes: list[str], limits: Limits) -> bytes:
    """Fill up a TIFF to the end of its last strip or tile: what is not there is black.

    A compressed one is decoded as far as each part goes, and written anew.
    """
    header = parse_tiff(data, limits, first_page=True)
    numbers = header.directory.numbers
    parts = [*zip(numbers(273), numbers(279), strict=False)]
    parts += zip(numbers(324), numbers(325), strict=False)
    filled = _filled(data, notes, max((start + length for start, length in parts), default=0))
    if header.refusal or filled is data or numbers(259) in ((), (1,)):
        return filled
    known = len(data)
    pixels = decode_tiff(filled, header, limits, known=known)
    return encode_tiff(pixels, header.directory, extra=header.extra)


def _mend_gif(data: bytes, notes: list[str], limits: Limits) -> bytes:
    """End the first frame of a GIF: the rest of it is in its first colour."""
    at = first_frame(data)
    width, height = (int.from_bytes(data[at + n : at + n + 2], "little") for n in (5, 7))
    check_pixels(width, height, limits)
    flags = data[at + 9] if at + 9 < len(data) else 0
    at += 10 + (3 << (flags & 7) + 1 if flags & _OWN_PALETTE else 0) + 1
    blocks = at
    while at < len(data) and data[at]:
        at += 1 + data[at]
    if at < len(data) or len(data) - blocks < _LEAST or width * height > _MOST_FILLED:
        return data
    notes.append(CUT)
    held = b"".join(_contents(data, blocks))
    held += bytes(width * height * _CODE_BITS // 8 + 1)
    pieces = [held[n : n + 255] for n in range(0, len(held), 255)]
    return b"".join((data[:blocks], *(bytes((len(each),)) + each for each in pieces), b"\0;"))


def _contents(data: bytes, at: int) -> Iterator[bytes]:
    """Yield what the blocks of a GIF hold, the last as far as it is there."""
    while at < len(data):
        yield data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]


def _filled(data: bytes, notes: list[str], length: int) -> bytes:
    """Return a file of that length if at least half of it is there."""
    if not len(data) < length <= 2 * len(data):
        return data
    notes.append(CUT)
    return data + bytes(length - len(data))


_MENDERS: MappingProxyType[str, Callable[[bytes, list[str], Limits], bytes | None]] = (
    MappingProxyType(
        {
            "JPEG": _mend_jpeg,
            "PNG": _mend_png,
            "WEBP": _mend_webp,
            "TIFF": _mend_tiff,
            "GIF": _mend_gif,
        }
    )
)
