"""Bytes behind a JPEG's picture: which stay, and the index (MPF) that says where.

Cameras put previews, other views, gain maps and videos there. CIPA DC-007 describes the index.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from homing.errors import PictureError
from homing.images.formats.blocks.carriers import MOST_OPAQUE, THUMBNAIL, left_out
from homing.images.formats.blocks.look import Look, Span, pictures_within
from homing.images.formats.jpeg_structure import Part, walk

_APP1, _APP2, _PREFIX = 0xE1, 0xE2, b"MPF\0"
_ITEM = re.compile(rb"""Item:Length\s*(?:=\s*["']|>)\s*(\d{1,18})\b""")  # of Google's container
_COUNT, _ENTRIES = 0xB001, 0xB002
_ENTRY = 16  # bytes
_TYPE = 0xFFFFFF  # of an entry's attributes
_PREVIEWS = frozenset({0x010001, 0x010002, 0x040000})  # large thumbnails, original preservation
_VIEWS = 0x020000  # panorama, stereo, several angles: other pictures

_GAIN_MAPS, _HEAD = (b"hdrgm:GainMapMax", b"aux:hdrgainmap"), 1 << 16
_VIDEO, _BOX_HEAD = b"ftyp", 8
_BOXES = frozenset(b"ftyp moov mdat free skip wide uuid meta moof mfra sidx styp udta".split())

PREVIEWS_LEFT_OUT = "previews behind the picture left out: they show what is not released"
BEHIND = "what stood behind the picture (other pictures, a gain map, a video)"
BEHIND_KEPT = (
    "what stands behind the picture (other pictures, a gain map, a video) is kept as it is"
)


@dataclass(frozen=True)
class _Entry:
    """A picture of the index; offset and size as written there."""

    attributes: int
    size: int
    offset: int  # from the index's own header; 0: the first picture
    first: int  # numbers of the pictures that depend on it
    second: int


@dataclass(frozen=True)
class _Index:
    """An index of several pictures and where its fields are, from its header on."""

    part: Part
    order: str
    count: tuple[int, int]  # offsets of the number of pictures, and of the entries' byte count
    entries_at: int
    entries: tuple[_Entry, ...]

    @property
    def header(self) -> int:
        """Offset in the file from which the entries count."""
        return self.part.payload + len(_PREFIX)


def notes_behind(data: bytes) -> tuple[str, ...]:
    """Return notes on what stands behind the picture of a JPEG; none if nothing does."""
    try:
        parts, end = walk(data)
    except PictureError:
        return ()
    if _nothing(data, end):
        return ()
    previews, unknown = _unreleased(data, parts, end)
    count = sum(stop - start for start, stop in unknown)
    left = len(data) - end - count - sum(stop - start for start, stop in previews)
    names = [f"unknown data behind the end ({count:,} bytes)"] * bool(unknown)
    return (PREVIEWS_LEFT_OUT,) * bool(previews) + left_out(names) + (BEHIND_KEPT,) * (left > 0)


def stands_behind(data: bytes) -> bool:
    """Return whether anything stands behind the picture of a JPEG.

    Where its parts cannot be told from each other, another picture or a late end is a sign.
    """
    try:
        return not _nothing(data, walk(data)[1])
    except PictureError:
        scan = data.find(b"\xff\xda")
        ends = data.rstrip(b"\0").endswith(b"\xff\xd9")
        return not ends or data.find(b"\xff\xd8\xff", max(scan, 0)) >= 0


def mend_behind(
    data: bytes,
    written: bytearray,
    parts: Sequence[Part],
    moved: Mapping[int, int],
    end: int,
) -> bytes:
    """Return what stands behind the picture, and mend the index within `written` in place.

    `moved` maps the offsets of the parts of `data` that were written to their new ones.
    """
    gone: list[Span] = []
    if not _nothing(data, end):
        previews, unknown = _unreleased(data, parts, end)
        gone = sorted([*previews, *unknown])
    for part in parts if gone else ():
        if part.marker == _APP1 and part.start in moved:
            shift = moved[part.start] - part.start
            _mend_items(written, part.payload + shift, part.end + shift, gone)
    index = _read_index(data, parts)
    if index is not None:
        shift = moved[index.part.start] - index.part.start
        header = index.header + shift
        entries = _mended(data, index, gone, len(written), end, header)
        _write_index(written, header, index, entries)
    kept, at = bytearray(), end
    for start, stop in gone:
        kept += data[at:start]
        at = stop
    return bytes(kept + data[at:])


def _nothing(data: bytes, end: int) -> bool:
    return not memoryview(data)[end:].tobytes().strip(b"\0")


def _mend_items(written: bytearray, start: int, end: int, gone: Sequence[Span]) -> None:
    """Set lengths of items that are gone to zeros in an XMP packet: places follow from lengths."""
    lengths = {stop - first for first, stop in gone}
    for match in _ITEM.finditer(bytes(written[start:end])):
        if int(match[1]) in lengths:
            written[start + match.start(1) : start + match.end(1)] = b"0" * len(match[1])


def _mended(
    data: bytes,
    index: _Index,
    gone: Sequence[tuple[int, int]],
    length: int,
    end: int,
    header: int,
) -> list[_Entry]:
    """Return the entries of pictures that stay, in the new file; `header` is the index's place."""
    numbers: dict[int, int] = {0: 0}
    stay: list[_Entry] = []
    for number, entry in enumerate(index.entries, 1):
        start = index.header + entry.offset
        new = entry
        if entry.offset == 0:
            new = replace(entry, size=length if entry.size else 0)
        elif end <= start <= len(data):
            if any(first <= start < stop for first, stop in gone):
                continue
            before = sum(stop - first for first, stop in gone if first < start)
            new = replace(entry, offset=length + start - end - before - header)
        stay.append(new)
        numbers[number] = len(stay)
    return [
        replace(each, first=numbers.get(each.first, 0), second=numbers.get(each.second, 0))
        for each in stay
    ]


def _read_index(data: bytes, parts: Sequence[Part]) -> _Index | None:
    """Read the index of several pictures; None without one, or if it is damaged."""
    for part in parts:
        block = data[part.payload : part.end]
        if part.marker == _APP2 and block.startswith(_PREFIX):
            try:
                return _parse_index(part, block[len(_PREFIX) :])
            except (struct.error, PictureError):
                return None
    return None


def _parse_index(part: Part, block: bytes) -> _Index | None:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return None
    (at,) = struct.unpack_from(order + "I", block, 4)
    (fields,) = struct.unpack_from(order + "H", block, at)
    places = {
        struct.unpack_from(order + "H", block, place)[0]: place
        for place in range(at + 2, at + 2 + 12 * fields, 12)
    }
    if _COUNT not in places or _ENTRIES not in places:
        return None
    (pictures,) = struct.unpack_from(order + "I", block, places[_COUNT] + 8)
    size, start = struct.unpack_from(order + "II", block, places[_ENTRIES] + 4)
    if size != _ENTRY * pictures or start + size > len(block):
        return None
    entries = tuple(
        _Entry(attributes, length, offset, first, second)
        for attributes, length, offset, first, second in struct.iter_unpack(
            order + "IIIHH", block[start : start + size]
        )
    )
    return _Index(part, order, (places[_COUNT] + 8, places[_ENTRIES] + 4), start, entries)


def _write_index(written: bytearray, header: int, index: _Index, entries: Sequence[_Entry]) -> None:
    if len(entries) < len(index.entries):
        count, size = index.count
        struct.pack_into(index.order + "I", written, header + count, len(entries))
        struct.pack_into(index.order + "I", written, header + size, _ENTRY * len(entries))
    rows = b"".join(
        struct.pack(
            index.order + "IIIHH", e.attributes, e.size & 0xFFFFFFFF, e.offset & 0xFFFFFFFF,
            e.first, e.second,
        )
        for e in entries
    )  # fmt: skip
    at = header + index.entries_at
    written[at : at + _ENTRY * len(index.entries)] = rows.ljust(_ENTRY * len(index.entries), b"\0")


def _unreleased(data: bytes, parts: Sequence[Part], end: int) -> tuple[list[Span], list[Span]]:
    """Return what does not leave of what stands behind: the same picture, and unknown data.

    The picture is larger than a thumbnail; the data are longer than private ones may be.
    """
    index = _read_index(data, parts)
    typed = {}
    if index is not None:
        typed = {
            index.header + entry.offset: (entry.size, entry.attributes & _TYPE)
            for entry in index.entries
        }
    look = Look.of_jpeg(data)
    gone: list[Span] = []
    known: list[Span] = [(end, end)]
    for at, stop, form, sides in pictures_within(data, end):
        size, kind = typed.get(at, (0, 0))
        # Padding that the index counts to the picture goes with it.
        known.append((at, max(stop, min(at + size, len(data)))))
        other = kind & 0xFF0000 == _VIEWS or _is_gain_map(data[at:stop])
        if kind in _PREVIEWS or (
            not other and max(sides) > THUMBNAIL and look.shows(data[at:stop], form)
        ):
            gone.append(known[-1])
    known += _videos(data, end, known)
    return gone, list(_unknown(data, sorted(known)))


def _is_gain_map(picture: bytes) -> bool:
    """Return whether a picture says of itself that it is a map of gains, in grey or not."""
    return any(picture.find(mark, 0, _HEAD) >= 0 for mark in _GAIN_MAPS)


def _videos(data: bytes, end: int, pictures: Sequence[Span]) -> Iterator[Span]:
    """Yield where videos (ISO base media) stand, outside of pictures."""
    at = data.find(_VIDEO, end)
    while at >= 0:
        stop = at + 1
        if not any(first <= at < last for first, last in pictures):
            stop = _end_of_video(data, at - 4)
            yield at - 4, stop
        at = data.find(_VIDEO, stop)


def _end_of_video(data: bytes, at: int) -> int:
    """Return the end of the boxes of a video."""
    while at + 8 <= len(data) and data[at + 4 : at + 8] in _BOXES:
        length = int.from_bytes(data[at : at + 4], "big")
        if length == 1:  # behind the type stands one of 64 bits
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        at = at + length if length >= _BOX_HEAD else len(data)
    return min(at, len(data))


def _unknown(data: bytes, known: Sequence[Span]) -> Iterator[Span]:
    """Yield what stands between known parts, if it is long and not all zeros."""
    at = known[0][0]
    for start, stop in (*known[1:], (len(data), len(data))):
        if start - at > MOST_OPAQUE and data[at:start].strip(b"\0"):
            yield at, start
        at = max(at, stop)
