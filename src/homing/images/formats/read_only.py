"""Pictures that are only read, never written: through Pillow, beneath its own size check."""

import io
from collections.abc import Callable
from types import MappingProxyType

from PIL import BmpImagePlugin, GifImagePlugin, Image, Jpeg2KImagePlugin, TiffImagePlugin

from homing.errors import PictureError
from homing.images.formats.tiff import STRUCTURAL, SUB_PICTURES
from homing.images.formats.tiff_tags import (
    BYTE_ORDERS,
    Directory,
    Entry,
    write_directory,
)
from homing.images.limits import check_pixels, decoder_errors_as
from homing.options import Limits

_PILLOW_PIXELS = 89_478_485
"""Above this Pillow warns, and warnings cannot be silenced in one thread only."""

_LISTS = frozenset({258, 273, 279, 320, 324, 325, 338, 339, 340, 341, 347, 529, 530, 532})
"""Structural tags of more than one value; of any other Pillow expects one, and warns."""


def _open_avif(file: io.BytesIO) -> Image.Image:
    try:
        from PIL import AvifImagePlugin
    except ImportError as error:
        raise PictureError("this Pillow reads no AVIF; convert the picture to PNG") from error
    return AvifImagePlugin.AvifImageFile(file)


_OPENERS: MappingProxyType[str, Callable[[io.BytesIO], Image.Image]] = MappingProxyType(
    {
        "GIF": GifImagePlugin.GifImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "JPEG2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
        "AVIF": _open_avif,
    }
)


def open_other(data: bytes, kind: str, limits: Limits) -> Image.Image:
    """Open a GIF, BMP, JPEG 2000 or AVIF (of an animation the first frame), not yet decoded.

    These kinds may have at most 89 million pixels.
    """
    if kind not in _OPENERS:
        raise PictureError(f"{kind} is not handled; convert the picture to JPEG or PNG")
    limits = Limits(min(limits.max_pixels, _PILLOW_PIXELS), limits.max_bytes)
    if kind == "GIF":
        check_pixels(*_gif_size(data), limits)
    with decoder_errors_as(f"the {kind} picture is truncated or damaged"):
        image = _OPENERS[kind](io.BytesIO(data))
    check_pixels(*image.size, limits)
    return image


def _gif_size(data: bytes) -> tuple[int, int]:
    """Return the extent of a GIF's screen and first frame, which may reach beyond it."""

    def number(at: int) -> int:
        return int.from_bytes(data[at : at + 2], "little")

    at = 13 + (3 << (data[10] & 7) + 1 if len(data) > 10 and data[10] & 128 else 0)
    while data[at : at + 1] == b"!":  # extensions: a label, then blocks up to an empty one
        at += 2
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
    if data[at : at + 1] != b"," or len(data) < at + 10:
        raise PictureError("the GIF holds no picture; it is truncated or damaged")
    width = max(number(6), number(at + 1) + number(at + 5))
    return width, max(number(8), number(at + 3) + number(at + 7))


def open_unusual_tiff(data: bytes, directory: Directory) -> Image.Image:
    """Open the first page of a TIFF that homing does not decode itself (CMYK, JPEG, fax, 1 bit).

    Pillow gets the structural tags alone: it warns about damaged ones of the others.
    """
    entries = {
        tag: entry if tag in _LISTS else _first(entry)
        for tag, entry in directory.entries.items()
        if tag in STRUCTURAL - {SUB_PICTURES}
    }
    alone = Directory(directory.order, entries)
    tile = directory.number(322, 0) * directory.number(323, 0)
    if tile > _PILLOW_PIXELS:
        raise PictureError(f"the TIFF has tiles of {tile} pixels; save it in strips")
    padding = b"\0" * (len(data) % 2)
    at = len(data) + len(padding)
    offset = at.to_bytes(4, BYTE_ORDERS[directory.order])
    stream = b"".join((data[:4], offset, memoryview(data)[8:], padding, write_directory(alone, at)))
    with decoder_errors_as("the TIFF cannot be read"):
        return TiffImagePlugin.TiffImageFile(io.BytesIO(stream))


def _first(entry: Entry) -> Entry:
    return Entry(entry.type, 1, entry.data[: len(entry.data) // entry.count])
