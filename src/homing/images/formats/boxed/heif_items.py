"""Items of a HEIF file (ISO 23008-12): pictures, metadata, and what belongs to what."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from homing.errors import PictureError
from homing.images.formats.boxed.boxes import C2PA, Box, box, boxes, full_box

_MOST_ITEMS = 4096
_SHARED = 2  # times that each byte of a file may be used
_GAPS = 4096  # bytes between what items name, as writers leave them
_FREE = (b"free", b"skip")
_NO_DATA = frozenset({b"ftyp", b"meta", b"mdat", *_FREE})
_ESSENTIAL = 0x80


@dataclass(frozen=True)
class Property:
    """A property of an item: the type and the content of its box."""

    name: bytes
    content: bytes
    essential: bool = False


@dataclass(frozen=True)
class Item:
    """An item: a coded picture, one made of others, or metadata."""

    kind: bytes  # "av01", "hvc1", "grid", "Exif", "mime"
    content: bytes
    properties: tuple[Property, ...] = ()
    media: bytes = b""  # media type of a "mime" item

    def find(self, name: bytes) -> bytes | None:
        """Return the content of its first property of a name."""
        return next((each.content for each in self.properties if each.name == name), None)


@dataclass(frozen=True)
class Reference:
    """Relation of an item to others: "auxl" an auxiliary, "thmb" a thumbnail, "dimg" a part."""

    kind: bytes
    source: int
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Heif:
    """Items of a file by number, and which of them is the picture."""

    primary: int
    items: Mapping[int, Item]
    references: tuple[Reference, ...] = ()
    animated: bool = False
    manifest_store: bytes | None = None  # C2PA
    others: tuple[str, ...] = ()  # names of what is neither an item nor of these

    @cached_property
    def picture(self) -> Item:
        """The item that is the picture."""
        return self.items[self.primary]

    def of(self, kind: bytes, target: int) -> Iterator[int]:
        """Yield the items that refer so to another."""
        for each in self.references:
            if each.kind == kind and target in each.targets and each.source in self.items:
                yield each.source

    def made_of(self, source: int) -> tuple[int, ...]:
        """Return the items that one is made of."""
        return next(
            (
                each.targets
                for each in self.references
                if (each.kind, each.source) == (b"dimg", source)
            ),
            (),
        )


class _Numbers:
    """Numbers of a box's content, one after the other."""

    def __init__(self, data: bytes, found: Box) -> None:
        self._data, self._end = data, found.end
        self.version, self.flags = data[found.start], data[found.start + 3]
        self.at = found.start + 4

    def take(self, size: int) -> int:
        start, self.at = self.at, self.at + size
        if self.at > self._end:
            raise PictureError("its list of items is damaged; export it again")
        return int.from_bytes(self._data[start : self.at], "big")

    def rest(self) -> bytes:
        return self._data[self.at : self._end]


def parse_heif(data: bytes) -> Heif:
    """Read the items of a file; `PictureError` if it is damaged, or has no picture."""
    meta, store, others, animated, held = None, None, [], False, 0
    for found in boxes(data):
        length = found.end - found.start
        held += length if found.name == b"mdat" else 0
        if found.name == b"meta" and meta is None:
            meta = found
        elif found.name == b"moov":
            animated = True
        elif found.name == b"uuid" and data.startswith(C2PA, found.start):
            store = _manifest_store(data[found.start + 16 : found.end])
        elif found.name not in _NO_DATA or (found.name in _FREE and length > _GAPS):
            others.append(f"box {found.name.decode('latin-1').strip()}")
    if meta is None:
        raise PictureError("it holds no still picture; save one frame as PNG")
    parts = {each.name: each for each in boxes(data, meta.start + 4, meta.end)}
    if any(parts.get(name) is None for name in (b"pitm", b"iinf", b"iloc")):
        raise PictureError("its list of items is damaged; export it again")
    primary = _Numbers(data, parts[b"pitm"])
    number = primary.take(2 if primary.version == 0 else 4)
    kinds = _kinds(data, parts[b"iinf"])
    contents = _contents(data, parts[b"iloc"], parts.get(b"idat"))
    unnamed = held - sum(map(len, contents.values()))
    if unnamed > _GAPS and not animated:
        others.append(f"{unnamed:,} bytes that no item names")
    properties = _properties(data, parts[b"iprp"]) if b"iprp" in parts else {}
    items = {
        each: Item(kind, contents[each], tuple(properties.get(each, ())), media)
        for each, (kind, media) in kinds.items()
        if each in contents
    }
    if number not in items:
        raise PictureError("it holds no still picture; save one frame as PNG")
    references = tuple(_references(data, parts[b"iref"])) if b"iref" in parts else ()
    return Heif(number, items, references, animated, store, tuple(others))


def _manifest_store(content: bytes) -> bytes:
    """Return the manifest store of a C2PA box: behind version, flags, purpose and an offset."""
    return content[4:].partition(b"\0")[2][8:]


def _kinds(data: bytes, found: Box) -> dict[int, tuple[bytes, bytes]]:
    """Return type and media type of the items."""
    head = _Numbers(data, found)
    count = head.take(2 if head.version == 0 else 4)
    kinds: dict[int, tuple[bytes, bytes]] = {}
    if count > _MOST_ITEMS:
        raise PictureError(f"it has {count} items; save its picture alone")
    for entry in boxes(data, head.at, found.end):
        if entry.name != b"infe":
            continue
        each = _Numbers(data, entry)
        if each.version < 2:
            raise PictureError("its list of items is of an old version; export it again")
        number = each.take(2 if each.version == 2 else 4)
        each.take(2)
        kind = each.take(4).to_bytes(4, "big")
        texts = each.rest().split(b"\0")
        kinds[number] = kind, texts[1] if kind == b"mime" and len(texts) > 1 else b""
    return kinds


def _contents(data: bytes, found: Box, idat: Box | None) -> dict[int, bytes]:
    """Return the bytes of the items."""
    head = _Numbers(data, found)
    sizes = head.take(2)
    offset_size, length_size, base_size, index_size = (sizes >> n & 15 for n in (12, 8, 4, 0))
    if head.version == 0:
        index_size = 0
    contents: dict[int, bytes] = {}
    left = _SHARED * len(data)
    for _ in range(head.take(2 if head.version < 2 else 4)):
        number = head.take(2 if head.version < 2 else 4)
        method = head.take(2) & 15 if head.version else 0
        head.take(2)
        base = head.take(base_size)
        pieces = []
        for _ in range(head.take(2)):
            head.take(index_size)
            offset, length = head.take(offset_size), head.take(length_size)
            start, end = base + offset, len(data)
            if method == 1 and idat is not None:
                start, end = idat.start + start, idat.end
            length = length or max(end - start, 0)
            left -= length
            if method > 1 or start + length > end or left < 0:
                raise PictureError("it is truncated, or its items lie elsewhere; export it again")
            pieces.append(data[start : start + length])
        contents[number] = b"".join(pieces)
    return contents


def _properties(data: bytes, found: Box) -> dict[int, list[Property]]:
    """Return the properties of the items."""
    parts = list(boxes(data, found.start, found.end))
    held = next((each for each in parts if each.name == b"ipco"), None)
    known = [] if held is None else list(boxes(data, held.start, held.end))
    properties: dict[int, list[Property]] = {}
    left = _SHARED * len(data)
    for part in parts:
        if part.name != b"ipma":
            continue
        head = _Numbers(data, part)
        wide = 2 if head.flags & 1 else 1
        for _ in range(head.take(4)):
            number = head.take(2 if head.version == 0 else 4)
            for _ in range(head.take(1)):
                value = head.take(wide)
                essential = bool(value >> (8 * wide - 1))
                place = value & (1 << (8 * wide - 1)) - 1
                if not 0 < place <= len(known):
                    continue
                each = known[place - 1]
                left -= each.end - each.start
                if left < 0:
                    raise PictureError("its list of properties is damaged; export it again")
                named = Property(each.name, data[each.start : each.end], essential)
                properties.setdefault(number, []).append(named)
    return properties


def _references(data: bytes, found: Box) -> Iterator[Reference]:
    head = _Numbers(data, found)
    wide = 2 if head.version == 0 else 4
    for part in boxes(data, head.at, found.end):
        numbers = _Numbers(data, Box(part.name, part.start - 4, part.end))
        source = numbers.take(wide)
        targets = tuple(numbers.take(wide) for _ in range(numbers.take(2)))
        yield Reference(part.name, source, targets)


def write_heif(brands: bytes, items: Sequence[Item], references: Sequence[Reference] = ()) -> bytes:
    """Return a file of items, which are numbered from 1 on; the first is the picture."""
    known: dict[tuple[bytes, bytes], int] = {}
    rows = []
    for number, item in enumerate(items, 1):
        places = []
        for each in item.properties:
            place = known.setdefault((each.name, each.content), len(known) + 1)
            places.append(place | (_ESSENTIAL if each.essential else 0))
        rows.append(number.to_bytes(2, "big") + bytes((len(places), *places)))
    if len(known) >= _ESSENTIAL:
        raise PictureError("it has too many properties; convert it to PNG first")
    head = box(b"ftyp", brands[:4], bytes(4), brands)
    properties = box(
        b"iprp",
        box(b"ipco", *(box(name, content) for name, content in known)),
        full_box(b"ipma", len(rows).to_bytes(4, "big"), *rows),
    )
    entries = (
        full_box(
            b"infe",
            number.to_bytes(2, "big"),
            bytes(2),
            item.kind,
            b"\0",
            item.media + b"\0" if item.kind == b"mime" else b"",
            version=2,
        )
        for number, item in enumerate(items, 1)
    )
    named = full_box(b"iinf", len(items).to_bytes(2, "big"), *entries)
    related = full_box(b"iref", *map(_reference, references)) if references else b""
    length = sum(len(item.content) for item in items)
    if length >= (1 << 32) - (1 << 20):
        raise PictureError("it would pass 4 GiB; save the picture in parts")

    def meta(at: int) -> bytes:
        places = [b"\x44\0", len(items).to_bytes(2, "big")]
        for number, item in enumerate(items, 1):
            numbers = (number, 2), (0, 2), (1, 2), (at, 4), (len(item.content), 4)
            places.append(b"".join(value.to_bytes(size, "big") for value, size in numbers))
            at += len(item.content)
        return full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", b"\0\1"),
            full_box(b"iloc", *places),
            named,
            related,
            properties,
        )

    behind = len(head) + len(meta(0)) + 8
    return b"".join((head, meta(behind), box(b"mdat", *(item.content for item in items))))


def _reference(each: Reference) -> bytes:
    numbers = (each.source, len(each.targets), *each.targets)
    return box(each.kind, *(value.to_bytes(2, "big") for value in numbers))
