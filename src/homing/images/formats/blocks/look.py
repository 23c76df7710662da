"""Look of a picture, by which copies of it are found among other bytes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.errors import PictureError
from homing.images.formats.blocks.carriers import THUMBNAIL
from homing.images.formats.jpeg import open_jpeg, parse_jpeg
from homing.images.formats.jpeg_structure import FRAMES, SOS, ends_of_data, walk
from homing.images.formats.png import decode_png, parse_png
from homing.images.formats.tiff import parse_tiff
from homing.images.formats.webp import open_webp, parse_webp
from homing.images.limits import UNLIMITED, decoder_errors_as
from homing.images.pixels import Pixels
from homing.options import DEFAULT_LIMITS, Limits

Span = tuple[int, int]
_Size = tuple[int, int]

_SMALL = 32  # side at which two pictures are compared
_ALIKE = 10.0  # mean difference in levels of pictures that show the same
_IN_STEP = 0.98  # correlation of the ranks of their greys, if tones went through some curve
_MOST_LOOKED_AT = 64  # pictures, so that no block takes long
_LIMITS = Limits(40_000_000, DEFAULT_LIMITS.max_bytes)  # larger ones count as copies, unread
_FALSE_START = 64  # beginnings of JPEGs that are none, which cost as much as one picture
_BEGINNINGS = MappingProxyType(
    {
        b"\xff\xd8\xff": "JPEG",
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"RIFF": "WEBP",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"ftyphei": "HEIF",
        b"ftypmif1": "HEIF",
        b"ftypavi": "HEIF",
        b"jP  \r\n\x87\n": "HEIF",  # JPEG 2000, in boxes as well
        b"JXL \r\n\x87\n": "HEIF",
        b"\xff\x4f\xff\x51": "JPEG2000",
        b"GIF8": "GIF",
        b"8BPS\0\1": "PSD",
    }
)
"""First bytes of pictures that may stand within other data."""


@dataclass(frozen=True, eq=False)
class Look:
    """A picture at 32 x 32, shrunk when it is first needed."""

    read: Callable[[], Image.Image]

    @classmethod
    def of_pixels(cls, pixels: Pixels) -> "Look":
        """Return the look of (h, w, 1 or 3) pixels."""
        return cls(lambda: _image(pixels))

    @classmethod
    def of_jpeg(cls, data: bytes) -> "Look":
        """Return the look of a JPEG."""
        return cls(lambda: _open_jpeg(data))

    @cached_property
    def _own(self) -> tuple[NDArray[np.int16], float] | None:
        """The small picture, (32, 32, 3), and its aspect; None if it cannot be read."""
        try:
            with decoder_errors_as("it cannot be read"):
                image = self.read()
                return _shrunk(image), image.width / image.height
        except PictureError:
            return None

    def shows(self, data: bytes, kind: str) -> bool:
        """Return whether an encoded picture shows the same, turned or mirrored or with borders.

        One that cannot be decoded counts as one that does.
        """
        if self._own is None or kind not in _OPENERS:
            return True
        small, aspect = self._own
        try:
            with decoder_errors_as("it cannot be read"):
                image = _OPENERS[kind](data)
                views = [_shrunk(each) for each in _cut(image, aspect)]
        except PictureError:
            return True
        turned = [np.rot90(small, turns) for turns in range(4)]
        sought = [*turned, *(each[:, ::-1] for each in turned)]
        ranked = [_ranks(each) for each in sought]
        return any(
            float(np.abs(view - each).mean()) < _ALIKE or float(_ranks(view) @ ranks) > _IN_STEP
            for view in views
            for each, ranks in zip(sought, ranked, strict=True)
        )

    def unreleased(self, block: bytes, start: int = 0) -> tuple[Span, ...]:
        """Return where a block holds the same picture, larger than a thumbnail."""
        return tuple(
            (first, last)
            for first, last, kind, size in pictures_within(block, start)
            if max(size) > THUMBNAIL and self.shows(block[first:last], kind)
        )


def blanked(block: bytes, spans: tuple[Span, ...]) -> bytes:
    """Return a block with zeros in place of some bytes: nothing else moves."""
    if not spans:
        return block
    out = bytearray(block)
    for first, last in spans:
        out[first:last] = bytes(last - first)
    return bytes(out)


def pictures_within(block: bytes, start: int = 0) -> Iterator[tuple[int, int, str, _Size]]:
    """Yield start, end, kind and (width, height) of the pictures that stand within a block.

    What a picture itself holds is not looked into.
    """
    marks: list[NDArray[np.int64]] = []
    places = {mark: block.find(mark, start) for mark in _BEGINNINGS}
    left = _MOST_LOOKED_AT * _FALSE_START
    while left > 0:
        places = {mark: at for mark, at in places.items() if at >= 0}
        if not places:
            return
        mark, at = min(places.items(), key=lambda item: item[1])
        kind = _BEGINNINGS[mark]
        found = _measure(block, at, kind, marks)
        after = at + 1
        left -= 1 if kind == "JPEG" and found is None else _FALSE_START
        if found is not None:
            begin, end, size = found
            yield begin, end, kind, size
            # Where the end is not known, a large picture may follow a thumbnail.
            open_end = end == len(block) and max(size) <= THUMBNAIL
            after = after if open_end else max(end, after)
        for each, place in places.items():
            if place < after:
                places[each] = block.find(each, after)


def _measure(
    block: bytes, at: int, kind: str, marks: list[NDArray[np.int64]]
) -> tuple[int, int, _Size] | None:
    """Return start, end and size of the picture at a place, None if there is none."""
    try:
        if kind == "JPEG":
            size = jpeg_size(block, at)
            if size is None:
                return None
            if not marks:
                marks.append(ends_of_data(block))
            return at, _end_of_jpeg(block, at, marks[0]), size
        if kind == "HEIF":  # of a size that only its own reader knows
            return max(at - 4, 0), _end_of_boxes(block, max(at - 4, 0)), (1 << 16, 1 << 16)
        if kind == "TIFF":
            header = parse_tiff(block[at:], UNLIMITED, first_page=True)
            pixels = header.directory.numbers(273) or header.directory.numbers(324)
            return (at, len(block), (header.width, header.height)) if pixels else None
        if kind in ("JPEG2000", "GIF", "PSD"):
            return at, len(block), _size_of_other(block, at, kind)
        if kind == "PNG":
            size = _numbers(block, at + 16)
            return (
                (at, _end_of_png(block, at), size) if block[at + 12 : at + 16] == b"IHDR" else None
            )
        if block[at + 8 : at + 12] != b"WEBP":
            return None
        end = min(at + 8 + int.from_bytes(block[at + 4 : at + 8], "little"), len(block))
        webp = parse_webp(block[at:end], UNLIMITED)
        return at, end, (webp.width, webp.height)
    except PictureError:
        return None


def jpeg_size(block: bytes, at: int = 0) -> _Size | None:
    """Return width and height of the JPEG at a place; None if its frame is not found."""
    at += 2
    while at + 9 <= len(block) and block[at] == 0xFF:
        marker = block[at + 1]
        if marker in FRAMES:
            return int.from_bytes(block[at + 7 : at + 9], "big"), int.from_bytes(
                block[at + 5 : at + 7], "big"
            )
        if marker == SOS or marker < 0xC0 or 0xD0 <= marker <= 0xD9:
            return None
        at += 1 if marker == 0xFF else 2 + int.from_bytes(block[at + 2 : at + 4], "big")
    return None


def _end_of_jpeg(block: bytes, at: int, marks: NDArray[np.int64]) -> int:
    try:
        return walk(block, at, marks)[1]
    except PictureError:
        return len(block)


def _end_of_boxes(block: bytes, at: int) -> int:
    while at + 8 <= len(block) and block[at + 4 : at + 8].isascii():
        length = int.from_bytes(block[at : at + 4], "big")
        if length < 8:
            return len(block)
        at += length
    return min(at, len(block))


def _end_of_png(block: bytes, at: int) -> int:
    found = block.find(b"IEND\xaeB`\x82", at)
    return found + 8 if found >= 0 else len(block)


def _size_of_other(block: bytes, at: int, kind: str) -> _Size:
    """Return width and height of a picture in another kind, whose end is not looked for."""
    if kind == "GIF":
        width, height = block[at + 6 : at + 8], block[at + 8 : at + 10]
        return int.from_bytes(width, "little"), int.from_bytes(height, "little")
    return _numbers(block, at + (8 if kind == "JPEG2000" else 14))


def _numbers(block: bytes, at: int) -> _Size:
    return int.from_bytes(block[at : at + 4], "big"), int.from_bytes(block[at + 4 : at + 8], "big")


def _open_jpeg(data: bytes) -> Image.Image:
    image = open_jpeg(data, parse_jpeg(data, DEFAULT_LIMITS))
    image.draft(None, (2 * _SMALL, 2 * _SMALL))
    return image


def _open_png(data: bytes) -> Image.Image:
    return _image(decode_png(data, parse_png(data, _LIMITS)))


def _open_webp(data: bytes) -> Image.Image:
    parse_webp(data, _LIMITS)
    return open_webp(data)


def _image(pixels: Pixels) -> Image.Image:
    levels = pixels
    if pixels.dtype != np.uint8:  # 12 bits in 16, say, fill the range of 12
        levels = (pixels >> max(int(pixels.max()).bit_length() - 8, 0)).astype(np.uint8)
    if levels.shape[2] < 3:
        return Image.fromarray(np.ascontiguousarray(levels[..., 0]))
    return Image.fromarray(np.ascontiguousarray(levels[..., :3]))


_OPENERS: MappingProxyType[str, Callable[[bytes], Image.Image]] = MappingProxyType(
    {"JPEG": _open_jpeg, "PNG": _open_png, "WEBP": _open_webp}
)


def _cut(image: Image.Image, aspect: float) -> Iterator[Image.Image]:
    """Yield a picture, and its middle of an aspect, upright or turned: previews have borders."""
    yield image
    for wanted in (aspect, 1 / aspect):
        width = min(image.width, round(image.height * wanted))
        height = min(image.height, round(image.width / wanted))
        left, top = (image.width - width) // 2, (image.height - height) // 2
        if (left or top) and width and height:
            yield image.crop((left, top, left + width, top + height))


def _ranks(small: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the ranks of a small picture's greys, (1024,), centred and of unit length.

    They are the same whatever curve tones go through: linear light, another colour space.
    """
    grey = small.astype(np.int64) @ np.array([3, 6, 1])
    _, places, counts = np.unique(grey, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - counts / 2)[places.ravel()]
    ranks -= ranks.mean()
    length = float(np.sqrt((ranks * ranks).sum()))
    return np.asarray(ranks / length if length else ranks)


def _shrunk(image: Image.Image) -> NDArray[np.int16]:
    small = image.convert("RGB").resize((_SMALL, _SMALL), Image.Resampling.BILINEAR)
    return np.asarray(small).astype(np.int16)
