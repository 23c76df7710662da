"""Files made of boxes, put together by hand: AVIF with further items, JPEG XL with headers."""

import struct
from dataclasses import dataclass

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def box(name: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I", 8 + len(content)) + name + content


def content_of(data: bytes, *path: bytes) -> bytes:
    """Return what a box holds, within other boxes; of ``meta`` without version and flags."""
    for name in path:
        at = 0
        while data[at + 4 : at + 8] != name:
            at += int.from_bytes(data[at : at + 4], "big")
        data = data[at + 8 : at + int.from_bytes(data[at : at + 4], "big")]
        data = data[4:] if name in (b"meta", b"iref", b"ipma") else data
    return data


def with_item(
    avif: bytes, kind: bytes, content: bytes, reference: bytes, media: bytes = b""
) -> bytes:
    """Add an item to an AVIF of libavif, whose picture is its first: one that refers to that."""
    start = avif.index(b"meta") - 4
    length = int.from_bytes(avif[start : start + 4], "big")
    parts = {}
    rest = content_of(avif, b"meta")
    while rest:
        size = int.from_bytes(rest[:4], "big")
        parts[rest[4:8]], rest = rest[8:size], rest[size:]
    old = int.from_bytes(parts[b"iinf"][4:6], "big")
    number = old + 1
    texts = b"\0" + (media + b"\0" if kind == b"mime" else b"")
    entry = box(b"infe", b"\2\0\0\0", struct.pack(">HH", number, 0), kind, texts)
    parts[b"iinf"] = parts[b"iinf"][:4] + struct.pack(">H", number) + parts[b"iinf"][6:] + entry
    related = box(reference, struct.pack(">HHH", number, 1, 1))
    parts[b"iref"] = parts.get(b"iref", bytes(4)) + related
    row = struct.pack(">HHHII", number, 0, 1, 0, len(content))
    places = bytearray(parts[b"iloc"])  # offsets of four bytes, one extent each
    struct.pack_into(">H", places, 6, number)
    parts[b"iloc"] = bytes(places) + row
    longer = sum(8 + len(each) for each in parts.values()) + 12 - length
    behind = avif[start + length :]
    moved = bytearray(parts[b"iloc"])
    for place in range(old):
        at = 8 + 14 * place + 6
        struct.pack_into(">I", moved, at, struct.unpack_from(">I", moved, at)[0] + longer)
    struct.pack_into(">I", moved, 8 + 14 * old + 6, len(avif) + longer + 8)
    parts[b"iloc"] = bytes(moved)
    meta = box(b"meta", bytes(4), *(box(name, each) for name, each in parts.items()))
    return avif[:start] + meta + behind + box(b"mdat", content)


def boxed_jxl(codestream: bytes, *added: tuple[bytes, bytes]) -> bytes:
    """Return a JPEG XL file of a codestream and further boxes."""
    start = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    return start + b"".join(box(*each) for each in added) + box(b"jxlc", codestream)


@dataclass
class Bits:
    """Bits put together, the lowest of each byte first."""

    value: int = 0
    count: int = 0

    def put(self, number: int, count: int) -> "Bits":
        self.value |= number << self.count
        self.count += count
        return self

    def bytes(self) -> bytes:
        return self.value.to_bytes(-(-self.count // 8), "little")


def jxl_header(
    *,
    width: int = 8,
    height: int = 8,
    animated: bool = False,
    preview: bool = False,
    profiled: bool = False,
    depth: int = 8,
    channels: tuple[int, ...] = (),
) -> bytes:
    """Return the beginning of a codestream: of a size, with what is rare."""
    bits = Bits().put(0, 1).put(3, 2).put(height - 1, 30).put(0, 3).put(3, 2).put(width - 1, 30)
    bits.put(0, 1).put(1, 1).put(0, 3).put(0, 1).put(preview, 1)
    if preview:
        bits.put(1, 1).put(0, 2).put(1, 3)
    bits.put(animated, 1)
    if animated:
        bits.put(0, 2).put(0, 2).put(0, 2).put(0, 1)
    bits.put(0, 1).put(3, 2).put(depth - 1, 6).put(1, 1)
    bits.put(2, 2).put(len(channels) - 2, 4) if len(channels) > 1 else bits.put(len(channels), 2)
    for kind in channels:
        bits.put(0, 1).put(2, 2).put(kind - 2, 4) if kind > 1 else bits.put(0, 1).put(kind, 2)
        bits.put(0, 1).put(0, 2).put(0, 2).put(0, 2)
        if kind == 0:
            bits.put(0, 1)
    bits.put(0, 1).put(not profiled, 1)
    if profiled:
        bits.put(1, 1).put(0, 2)
    bits.put(1, 1).put(0, 2).put(1, 1)
    return b"\xff\x0a" + bits.bytes() + bytes(16)
