"""Pictures that are only read, never written: through Pillow, beneath its own size check.

HEIC by the extra ``heic`` (pillow-heif).
"""

import io
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, Jpeg2KImagePlugin, TiffImagePlugin

from homing.errors import PictureError
from homing.extras import install_command
from homing.images.formats.boxed.heif_items import parse_heif
from homing.images.formats.tiff import STRUCTURAL, SUB_PICTURES, TiffHeader
from homing.images.formats.tiff_tags import (
    BYTE_ORDERS,
    Directory,
    Entry,
    write_directory,
)
from homing.images.limits import check_parts, check_pixels, decoder_errors_as
from homing.images.pixels import Pixels
from homing.images.told import Told
from homing.options import Limits

_PILLOW_PIXELS = 89_478_485
"""Above this Pillow warns, and warnings cannot be silenced in one thread only."""

_MOST_RUNS = 1 << 22
"""Bytes of a BMP in runs, which Pillow decodes in Python."""

_GIF_BLOCKS = 32
"""Times as many parts as other files: metadata that are read as blocks have short ones."""

_UNTOLD = 2  # of primaries and transfers
_MOST_TILES = 4096

_LISTS = frozenset({258, 273, 279, 320, 324, 325, 338, 339, 340, 341, 347, 529, 530, 532})
"""Structural tags of more than one value; of any other Pillow expects one, and warns."""


_OPENERS: MappingProxyType[str, Callable[[io.BytesIO], Image.Image]] = MappingProxyType(
    {
        "GIF": GifImagePlugin.GifImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "JPEG2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
    }
)


def open_other(data: bytes, kind: str, limits: Limits) -> Image.Image:
    """Open a GIF, BMP or JPEG 2000 (of an animation the first frame), not yet decoded.

    These kinds may have at most 89 million pixels.
    """
    if kind not in _OPENERS:
        raise PictureError(f"{kind} is not handled; convert the picture to JPEG or PNG")
    limits = Limits(min(limits.max_pixels, _PILLOW_PIXELS), limits.max_bytes)
    if kind == "GIF":
        at = first_frame(data)
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


def first_frame(data: bytes) -> int:
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
    mark = b"II*\0" if directory.order == "<" else b"MM\0*"
    stream = b"".join((mark, offset, memoryview(data)[8:], padding, write_directory(alone, at)))
    try:
        return TiffImagePlugin.TiffImageFile(io.BytesIO(stream))
    except SyntaxError as error:  # Pillow's "unknown pixel mode"
        raise PictureError(header.refusal.replace("written back", "read")) from error
    except Exception:
        with decoder_errors_as("the TIFF cannot be read"):
            raise


def _first(entry: Entry) -> Entry:
    return Entry(entry.type, 1, entry.data[: len(entry.data) // entry.count])


def read_heic(data: bytes, limits: Limits) -> tuple[Pixels, Told]:
    """Decode the picture of a HEIC, upright, to (h, w, 1..4), uint8 or uint16.

    Its size is checked before. A :class:`PictureError` names the extra where it is missing.
    """
    _check_heic(data, limits)
    try:
        import pillow_heif
    except ImportError as error:
        raise PictureError(
            f"reading HEIC needs pillow-heif, not installed here: {install_command('heic')}; or "
            "export the picture as JPEG"
        ) from error
    with decoder_errors_as("the HEIC is truncated or damaged"):
        image = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
        check_pixels(image.size[0], image.size[1], limits)
        pixels: Pixels = np.asarray(image)
    return pixels.reshape(*pixels.shape[:2], -1), _told_of_heic(image.info)


def _check_heic(data: bytes, limits: Limits) -> None:
    """Refuse a HEIC any of whose pictures claims more pixels than the limits allow."""
    with decoder_errors_as("the HEIC is damaged"):
        heif = parse_heif(data)
    if len(heif.made_of(heif.primary)) > _MOST_TILES:
        raise PictureError("the HEIC has too many tiles; export it as JPEG")
    for item in heif.items.values():
        claimed = item.find(b"ispe")
        if claimed is not None:
            width, height = claimed[4:8], claimed[8:12]
            check_pixels(int.from_bytes(width, "big"), int.from_bytes(height, "big"), limits)


def _told_of_heic(found: dict[str, Any]) -> Told:
    """Return what the file tells of its samples; they come upright, and fill their range."""
    nclx = found.get("nclx_profile") or {}
    primaries = int(nclx.get("color_primaries", _UNTOLD))
    transfer = int(nclx.get("transfer_characteristics", _UNTOLD))
    icc = found.get("icc_profile")
    untold = icc is not None or (primaries, transfer) == (_UNTOLD, _UNTOLD)
    return Told(
        orientation=1,
        orientation_by="HEIC",
        icc=icc,
        cicp=None if untold else bytes((primaries & 255, transfer & 255, 0, 1)),
        bits=16,
        bits_by="HEIC",
    )
