"""Metadata of a picture's file: carried from one kind to another; its C2PA manifest store."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from homing.errors import PictureError
from homing.images.formats.jpeg import XMP_PREFIX, JpegHeader, parse_jpeg
from homing.images.formats.png import PngHeader, parse_png
from homing.images.formats.tiff import STRUCTURAL, TiffHeader, parse_tiff
from homing.images.formats.tiff_tags import (
    EXIF_MARK,
    Directory,
    Entry,
    parse_block,
    write_directory,
)
from homing.images.formats.webp import WebpHeader, parse_webp
from homing.images.kinds import sniff
from homing.images.limits import UNLIMITED
from homing.images.picture import Picture, read_picture
from homing.images.pixels import Pixels
from homing.options import Limits

_PHOTOSHOP_PREFIX = b"Photoshop 3.0\0"
_SEGMENT = 65533  # bytes that a JPEG segment holds
_ICC_PART = 65519
_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675

_PARSERS: MappingProxyType[
    str, Callable[[bytes, Limits], JpegHeader | PngHeader | WebpHeader | TiffHeader]
] = MappingProxyType({"JPEG": parse_jpeg, "PNG": parse_png, "WEBP": parse_webp, "TIFF": parse_tiff})


@dataclass(frozen=True)
class Metadata:
    """Metadata that a picture carries into another kind."""

    exif: bytes | None = None  # block, beginning with its TIFF header
    icc: bytes | None = None
    xmp: bytes | None = None
    photoshop: bytes | None = None  # image resources, which hold IPTC; JPEG and TIFF only


def read_metadata(kind: str, data: bytes) -> Metadata:
    """Read the metadata of a file of a kind, which was read before without error."""
    return _READERS[kind](data)


def manifest_store(data: bytes) -> bytes | None:
    """Return the C2PA manifest store of a JPEG, PNG, WebP or TIFF; None if it carries none.

    It is a JUMBF superbox (ISO 19566-5): ``application/c2pa``.
    """
    kind = sniff(data)
    if kind not in _PARSERS:
        raise PictureError(
            f"Content Credentials are not read from a {kind or 'file of unknown kind'}; "
            "give JPEG, PNG, WebP or TIFF"
        )
    return _PARSERS[kind](data, UNLIMITED).manifest_store


def same_but_for_credentials(one: bytes, other: bytes) -> bool:
    """Return whether two files hold the same picture and metadata, C2PA manifests left aside."""
    a, b = (read_picture(data, limits=UNLIMITED) for data in (one, other))
    return (
        a.kind == b.kind
        and a.orientation == b.orientation
        and np.array_equal(a.pixels, b.pixels)
        and np.array_equal(_alpha(a), _alpha(b))
        and read_metadata(a.kind, one) == read_metadata(b.kind, other)
    )


def _alpha(picture: Picture) -> Pixels:
    return np.empty((0, 0), np.uint8) if picture.alpha is None else picture.alpha


def _from_jpeg(data: bytes) -> Metadata:
    header = parse_jpeg(data, UNLIMITED)
    photoshop = b"".join(header.payloads(0xED, _PHOTOSHOP_PREFIX))
    return Metadata(
        header.exif,
        header.icc,
        header.xmp,
        photoshop or None,
    )


def _from_png(data: bytes) -> Metadata:
    told = parse_png(data, UNLIMITED).told
    return Metadata(told.exif, told.icc, told.xmp)


def _from_webp(data: bytes) -> Metadata:
    header = parse_webp(data, UNLIMITED)
    exif = header.exif.removeprefix(EXIF_MARK) if header.exif is not None else None
    return Metadata(exif, header.icc, header.xmp)


def _from_tiff(data: bytes) -> Metadata:
    directory = parse_tiff(data, UNLIMITED).directory
    apart = STRUCTURAL | {254, _XMP, _IPTC, _PHOTOSHOP, _ICC}
    carried = {tag: entry for tag, entry in directory.entries.items() if tag not in apart}
    exif = None
    if carried or directory.beneath:
        mark = b"II*\0\x08\0\0\0" if directory.order == "<" else b"MM\0*\0\0\0\x08"
        exif = mark + write_directory(Directory(directory.order, carried, directory.beneath), 8)

    def content(tag: int) -> bytes | None:
        entry = directory.entries.get(tag)
        return entry.data if entry else None

    photoshop = content(_PHOTOSHOP)
    if photoshop is None and (iptc := content(_IPTC)) is not None:
        # The resource "8BIM" 0x0404 with an empty name, padded to an even length.
        photoshop = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc
        photoshop += b"\0" * (len(iptc) % 2)
    return Metadata(exif, content(_ICC), content(_XMP), photoshop)


_READERS: MappingProxyType[str, Callable[[bytes], Metadata]] = MappingProxyType(
    {"JPEG": _from_jpeg, "PNG": _from_png, "WEBP": _from_webp, "TIFF": _from_tiff}
)


def jpeg_segments(metadata: Metadata) -> tuple[tuple[int, bytes], ...]:
    """Return metadata as the markers and payloads of JPEG segments, refused if it is too long."""
    segments: list[tuple[int, bytes]] = []
    for name, marker, prefix, content in (
        ("EXIF block", 0xE1, b"Exif\0\0", metadata.exif),
        ("XMP packet", 0xE1, XMP_PREFIX, metadata.xmp),
    ):
        if content is not None:
            if len(prefix) + len(content) > _SEGMENT:
                raise PictureError(f"the {name} of {len(content)} bytes is too long for a JPEG")
            segments.append((marker, prefix + content))
    icc = metadata.icc or b""
    parts = [icc[at : at + _ICC_PART] for at in range(0, len(icc), _ICC_PART)]
    if len(parts) > 255:
        raise PictureError(f"the colour profile of {len(icc)} bytes is too long for a JPEG")
    for number, part in enumerate(parts, 1):
        segments.append((0xE2, b"ICC_PROFILE\0" + bytes((number, len(parts))) + part))
    photoshop = metadata.photoshop or b""
    room = _SEGMENT - len(_PHOTOSHOP_PREFIX)
    for at in range(0, len(photoshop), room):
        segments.append((0xED, _PHOTOSHOP_PREFIX + photoshop[at : at + room]))
    return tuple(segments)


def png_chunks(metadata: Metadata) -> tuple[tuple[bytes, bytes], ...]:
    """Return metadata as the types and contents of PNG chunks."""
    chunks: list[tuple[bytes, bytes]] = []
    if metadata.icc is not None:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.exif is not None:
        chunks.append((b"eXIf", metadata.exif))
    if metadata.xmp is not None:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    return tuple(chunks)


def tiff_directory(metadata: Metadata) -> Directory:
    """Return metadata as the tags of a TIFF, refused if the EXIF block is damaged."""
    found = Directory("<", {})
    if metadata.exif is not None:
        block = parse_block(metadata.exif)
        if block is None:
            raise PictureError("the EXIF block is damaged and cannot be carried into a TIFF")
        found = block
    entries = dict(found.entries)
    for tag, content in (
        (_XMP, metadata.xmp),
        (_PHOTOSHOP, metadata.photoshop),
        (_ICC, metadata.icc),
    ):
        if content:
            entries[tag] = Entry(1 if tag != _ICC else 7, len(content), content)
    return Directory(found.order, entries, found.beneath)
