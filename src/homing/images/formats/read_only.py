"""Pictures that are only read, never written: through Pillow, beneath its own size check."""

import io
from collections.abc import Callable
from types import MappingProxyType

from PIL import BmpImagePlugin, GifImagePlugin, Image, Jpeg2KImagePlugin, TiffImagePlugin

from homing.errors import PictureError
from homing.images.formats.tiff import STRUCTURAL, SUB_PICTURES, TiffHeader
from homing.images.formats.tiff_tags import (
    BYTE_ORDERS,
    Directory,
    Entry,
    write_directory,
)
from homing.images.limits import check_parts, check_pixels, decoder_errors_as
from homing.options import Limits

_PILLOW_PIXELS = 89_478_485
"""Above this Pillow warns, and warnings cannot be silenced in one thread only."""

_MOST_RUNS = 1 << 22
"""Bytes of a BMP in runs, which Pillow decodes in Python."""

_GIF_BLOCKS = 32
"""Times as many parts as other files: metadata that are read as blocks have short ones."""

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
        at = _gif_picture(data)
        check_pixels(*_gif_size(data, at), limits)
        data = data[: _gif_palette_end(data)] + _gif_control(data, at) + data[at:]
    if kind == "BMP" and data[30:31] in (b"\1", b"\2") and len(data) > _MOST_RUNS:
        raise PictureError("a BMP in runs of so many bytes is not handled; save it as PNG")
    with decoder_errors_as(f"the {kind} picture is truncated or damaged"):
        image = _OPENERS[kind](io.BytesIO(data))
    check_pixels(*image.size, limits)
    return image


def _gif_palette_end(data: bytes) -> int:
    return 13 + (3 << (data[10] & 7) + 1 if len(data) > 10 and data[10] & 128 else 0)


def _gif_picture(data: bytes) -> int:
    """Return the offset of a GIF's first frame, behind the extensions."""
    at, count = _gif_palette_end(data), 0
    while data[at : at + 1] == b"!":  # extensions: a label, then blocks up to an empty one
        at += 2
        while at < len(data) and data[at]:
            at += data[at] + 1
            count += 1
        at += 1
        count += 1
        check_parts(count, _GIF_BLOCKS * len(data), "GIF")
    return at


def _gif_control(data: bytes, end: int) -> bytes:
    """Return the extension that says which colour of the first frame is transparent.

    Pillow gets no other: it joins comments in quadratic time.
    """
    at = data.rfind(b"!\xf9\4", 0, end)
    found = data[at : at + 8] if at >= 0 else b""
    return found if found.endswith(b"\0") else b""


def _gif_size(data: bytes, at: int) -> tuple[int, int]:
    """Return the extent of a GIF's screen and first frame, which may reach beyond it."""

    def number(at: int) -> int:
        return int.from_bytes(data[at : at + 2], "little")

    if data[at : at + 1] != b"," or len(data) < at + 10:
        raise PictureError("the GIF holds no picture; it is truncated or damaged")
    width = max(number(6), number(at + 1) + number(at + 5))
    return width, max(number(8), number(at + 3) + number(at + 7))


def open_unusual_tiff(data: bytes, header: TiffHeader) -> Image.Image:
    """Open the first page of a TIFF that homing does not decode itself (CMYK, JPEG, fax, 1 bit).

    Pillow gets the structural tags alone: it warns about damaged ones of the others. What it does
    not know either is refused for the reason for which a strict reading refuses it.
    """
    directory = header.directory
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
    try:
        return TiffImagePlugin.TiffImageFile(io.BytesIO(stream))
    except SyntaxError as error:  # Pillow's "unknown pixel mode"
        raise PictureError(header.refusal.replace("written back", "read")) from error
    except Exception:
        with decoder_errors_as("the TIFF cannot be read"):
            raise


def _first(entry: Entry) -> Entry:
    return Entry(entry.type, 1, entry.data[: len(entry.data) // entry.count])
