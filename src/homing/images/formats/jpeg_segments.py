"""Metadata segments of a JPEG: those that belong together joined, cleaned, and parted again."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from homing.images.formats.blocks.exif import clean_exif
from homing.images.formats.blocks.look import Look, blanked
from homing.images.formats.blocks.photoshop import clean_resources
from homing.images.formats.blocks.xmp import clean_xmp
from homing.images.formats.jpeg import EXIF_HEADS, XMP_PREFIX, is_credentials
from homing.images.formats.tiff_tags import EXIF_MARK

Segment = tuple[int, bytes]
"""Marker (0xE1 for APP1 …) and payload."""

MOST = 65533  # bytes that a segment holds
EXIF, XMP = EXIF_MARK, XMP_PREFIX
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
PHOTOSHOP, ICC, MPF = b"Photoshop 3.0\0", b"ICC_PROFILE\0", b"MPF\0"
COMMENT = 0xFE
_GUID = 32  # characters behind the name of extended XMP, then its whole length and an offset
#: Marker and name of segments that are parts of one block, and the bytes of each part's head.
_CARRIED = (
    (0xE1, EXIF, len(EXIF)),
    (0xE1, XMP, len(XMP)),
    (0xE1, EXTENDED_XMP, len(EXTENDED_XMP) + _GUID + 8),
    (0xED, PHOTOSHOP, len(PHOTOSHOP)),
)
_PARTS = (*_CARRIED, (0xE2, b"FPXR\0", 13), (0xE1, b"FLIR\0", 8))
#: Never with pixels, or parsed elsewhere. A JFIF thumbnail has at most 255 pixels a side.
_ASIDE = ((0xE0, b"JFIF\0"), (0xE2, ICC), (0xE2, MPF), (0xEE, b"Adobe"))


@dataclass(frozen=True)
class Block:
    """Segments that are parts of one block."""

    name: bytes  # b"" for those without a known one
    marker: int
    head: int  # bytes of each payload that are no part of the block
    places: tuple[int, ...]  # of its segments, in order
    content: bytes


def blocks(segments: Sequence[Segment]) -> Iterator[Block]:
    """Yield the blocks of metadata segments; those of coding, and some without pixels, not."""
    groups: dict[tuple[int, bytes] | tuple[int, bytes, int], list[int]] = {}
    last: tuple[int, int] = (-2, 0)
    credentials = is_credentials(segments)
    for place, (marker, payload) in enumerate(segments):
        key: tuple[int, bytes] | tuple[int, bytes, int] | None = _key(marker, payload)
        if key is None or credentials[place]:
            continue
        if key == (marker, b""):  # of one marker in a row
            run = last[1] if last[0] == place - 1 and segments[place - 1][0] == marker else place
            last, key = (place, run), (marker, b"", run)
        elif key in groups and (payload[len(EXIF) : len(EXIF) + 4] in EXIF_HEADS or key[1] == XMP):
            key = (marker, key[1], place)  # another EXIF block or packet, no part of the first
        groups.setdefault(key, []).append(place)
    for places in groups.values():
        marker, payload = segments[places[0]]
        _, name, head = next((p for p in _PARTS if _is(p, marker, payload)), (0, b"", 0))
        if name == EXTENDED_XMP:
            places.sort(key=lambda place: segments[place][1][head - 4 : head])
        content = b"".join(segments[place][1][head:] for place in places)
        yield Block(name, marker, head, tuple(places), content)


def _is(part: tuple[int, bytes, int], marker: int, payload: bytes) -> bool:
    return part[0] == marker and payload.startswith(part[1])


def _key(marker: int, payload: bytes) -> tuple[int, bytes] | None:
    if not (0xE0 <= marker <= 0xEF or marker == COMMENT):
        return None
    if any(marker == each and payload.startswith(name) for each, name in _ASIDE):
        return None
    for part in _PARTS:
        if _is(part, marker, payload):
            extended = part[1] == EXTENDED_XMP
            return marker, payload[: part[2] - 8] if extended else part[1]
    return marker, b""


def is_held_elsewhere(marker: int, payload: bytes) -> bool:
    """Return whether files of other kinds have a place for a segment, or no need of it."""
    named = (*_ASIDE, *(part[:2] for part in _CARRIED))
    return any(marker == each and payload.startswith(name) for each, name in named)


def block_of(segments: Sequence[Segment], name: bytes) -> bytes | None:
    """Return the first block of a name, its parts joined, or None."""
    return next((each.content for each in blocks(segments) if each.name == name), None)


def clean_segments(
    segments: Sequence[Segment], look: Look
) -> tuple[dict[int, bytes | None], list[str]]:
    """Return new payloads by place, None for segments that go, and names of what is left out."""
    changed: dict[int, bytes | None] = {}
    names: list[str] = []
    renamed: dict[bytes, bytes] = {}
    for block in blocks(segments):
        content, found = _cleaned(block, look)
        if not found:
            continue
        names += found
        if block.name == EXTENDED_XMP:
            at = len(EXTENDED_XMP)
            old = segments[block.places[0]][1][at : at + _GUID]
            renamed[old] = hashlib.md5(content, usedforsecurity=False).hexdigest().upper().encode()
        for place, part in _parted(block, segments, content):
            changed[place] = part
    for place, (marker, payload) in enumerate(segments if renamed else ()):
        new = changed.get(place, payload)
        if marker == 0xE1 and new is not None and new.startswith((XMP, EXTENDED_XMP)):
            for old, guid in renamed.items():
                new = new.replace(old, guid)
            changed[place] = new
    return changed, names


def _cleaned(block: Block, look: Look) -> tuple[bytes, list[str]]:
    if block.name == EXIF:
        return clean_exif(block.content, look)
    if block.name in (XMP, EXTENDED_XMP):
        return clean_xmp(block.content, look)
    if block.name == PHOTOSHOP:
        return clean_resources(block.content, look)
    spans = look.unreleased(block.content)
    name = "COM" if block.marker == COMMENT else f"APP{block.marker - 0xE0}"
    return blanked(block.content, spans), [f"a preview in segment {name}"] * bool(spans)


def _parted(
    block: Block, segments: Sequence[Segment], content: bytes
) -> Iterator[tuple[int, bytes | None]]:
    """Yield the segments of a changed block, each as long as before while there is content."""
    at = 0
    for place in block.places:
        payload = segments[place][1]
        part = content[at : at + len(payload) - block.head]
        at += len(part)
        yield place, payload[: block.head] + part if part else None
