"""EXIF blocks: their thumbnail and previews."""

import struct

from homing.errors import PictureError
from homing.images.formats.blocks.carriers import THUMBNAIL
from homing.images.formats.blocks.look import Look, Span, blanked, jpeg_size
from homing.images.formats.tiff_tags import (
    BYTE_ORDERS,
    ORIENTATION,
    Directory,
    Entry,
    parse_block,
    read_directory,
    write_directory,
)

_WIDTH, _HEIGHT, _OFFSETS, _COUNTS = 256, 257, 273, 279
_JPEG, _JPEG_LENGTH = 513, 514


def clean_exif(block: bytes, look: Look) -> tuple[bytes, list[str]]:
    """Return an EXIF block without pictures above thumbnail size, and their names.

    They become zeros, so that no offset changes; a thumbnail's directory is unlinked.
    """
    mark = b"Exif\0\0"
    if block.startswith(mark):  # as some writers of PNG and WebP have it
        cleaned, names = clean_exif(block[len(mark) :], look)
        return mark + cleaned, names
    thumbnail, link = _thumbnail(block)
    spans = (*thumbnail, *look.unreleased(block))
    out = blanked(block, spans)
    if thumbnail:
        out = out[:link] + bytes(4) + out[link + 4 :]
    names = ["the EXIF thumbnail"] * bool(thumbnail)
    own = [span for span in spans if not any(a <= span[0] < b for a, b in thumbnail)]
    return out, names + ["a preview in the EXIF block"] * bool(own)


def with_orientation(block: bytes | None, orientation: int) -> bytes | None:
    """Return an EXIF block that tells an orientation, if only as the usual one by default."""
    found = parse_block(block) if block else None
    if found is None:
        if orientation == 1:
            return block
        found = Directory("<", {})
    if found.number(ORIENTATION, 1) == orientation:
        return block
    value = orientation.to_bytes(2, BYTE_ORDERS[found.order])
    at = 0 if block is None else _place_of(block, found, ORIENTATION)
    if block is not None and at:  # nothing else moves
        return block[:at] + value + block[at + 2 :]
    entries = {**found.entries, ORIENTATION: Entry(3, 1, value)}
    mark = b"II*\0\x08\0\0\0" if found.order == "<" else b"MM\0*\0\0\0\x08"
    return mark + write_directory(Directory(found.order, entries, found.beneath), 8)


def _place_of(block: bytes, directory: Directory, tag: int) -> int:
    """Return where the value of a number stands in the first directory of a block; 0 if nowhere."""
    order = BYTE_ORDERS[directory.order]
    first = int.from_bytes(block[4:8], order)
    count = int.from_bytes(block[first : first + 2], order)
    for row in range(first + 2, first + 2 + 12 * count, 12):
        if block[row : row + 4] == tag.to_bytes(2, order) + (3).to_bytes(2, order):
            return row + 8
    return 0


def _thumbnail(block: bytes) -> tuple[tuple[Span, ...], int]:
    """Return where the thumbnail is if it is larger than one should be, and what links to it."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return (), 0
    try:
        (at,) = struct.unpack_from(order + "I", block, 4)
        (count,) = struct.unpack_from(order + "H", block, at)
        link = at + 2 + 12 * count
        (following,) = struct.unpack_from(order + "I", block, link)
        if not following:
            return (), 0
        found = read_directory(block, following, "<" if order == "<" else ">", depth=0)
    except (struct.error, PictureError):
        return (), 0
    return _pixels(block, found), link


def _pixels(block: bytes, directory: Directory) -> tuple[Span, ...]:
    start, length = directory.number(_JPEG, 0), directory.number(_JPEG_LENGTH, 0)
    if start:
        size = jpeg_size(block, start) or (0, 0)
        return ((start, min(start + length, len(block))),) if max(size) > THUMBNAIL else ()
    if max(directory.number(_WIDTH, 0), directory.number(_HEIGHT, 0)) <= THUMBNAIL:
        return ()
    strips = zip(directory.numbers(_OFFSETS), directory.numbers(_COUNTS), strict=False)
    return tuple((first, min(first + count, len(block))) for first, count in strips)
