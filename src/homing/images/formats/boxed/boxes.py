"""Boxes of ISO base media files (ISO 14496-12), and headers in them that are read bit by bit.

AVIF, HEIC and JPEG XL are made of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from homing.errors import PictureError
from homing.images.limits import check_parts

C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""Beginning of a ``uuid`` box with a C2PA manifest store."""


@dataclass(frozen=True)
class Box:
    """A box: its type, and where its content stands."""

    name: bytes
    start: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes of a file, or within another box."""
    at, last = start, len(data) if end is None else end
    count = 0
    while at + 8 <= last:
        count += 1
        check_parts(count, len(data), "file")
        size, name, content = (
            int.from_bytes(data[at : at + 4], "big"),
            data[at + 4 : at + 8],
            at + 8,
        )
        if size == 1:
            size, content = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        elif size == 0:
            size = last - at
        if size < content - at or at + size > last:
            raise PictureError("it is truncated or damaged; export or download it again")
        yield Box(name, content, at + size)
        at += size


def box(name: bytes, *contents: bytes) -> bytes:
    """Return a box."""
    length = 8 + sum(map(len, contents))
    if length < 1 << 32:
        return b"".join((length.to_bytes(4, "big"), name, *contents))
    return b"".join((b"\0\0\0\1", name, (length + 8).to_bytes(8, "big"), *contents))


def full_box(name: bytes, *contents: bytes, version: int = 0, flags: int = 0) -> bytes:
    """Return a box that begins with its version and flags."""
    return box(name, bytes((version,)) + flags.to_bytes(3, "big"), *contents)


class Bits:
    """Bits of a header, taken one after the other; `PictureError` where there are no more.

    Those of a byte come from the lowest on, as in JPEG XL, or from the highest on, as in AV1.
    """

    def __init__(self, data: bytes, *, lowest_first: bool) -> None:
        self._lowest_first = lowest_first
        self._all = int.from_bytes(data, "little" if lowest_first else "big")
        self._count = 8 * len(data)
        self.at = 0

    def take(self, count: int) -> int:
        """Return the next bits as a number."""
        start, end = self.at, self.at + count
        if end > self._count:
            raise PictureError("its header is cut short; export it again")
        self.at = end
        shift = start if self._lowest_first else self._count - end
        return self._all >> shift & (1 << count) - 1

    def flag(self) -> bool:
        """Return the next bit."""
        return bool(self.take(1))
