"""Metadata of a picture's file, read from each kind alike; its C2PA manifest store."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from homing.errors import PictureError
from homing.images.formats.blocks.exif import with_orientation
from homing.images.formats.blocks.photoshop import IPTC as IPTC_RESOURCE
from homing.images.formats.blocks.photoshop import read_resources, write_resource
from homing.images.formats.boxed.avif import AvifHeader, parse_avif
from homing.images.formats.boxed.jxl import Jxl, parse_jxl
from homing.images.formats.jpeg import JpegHeader, is_credentials, parse_jpeg
from homing.images.formats.jpeg_behind import BEHIND, stands_behind
from homing.images.formats.jpeg_segments import (
    COMMENT,
    EXIF,
    EXTENDED_XMP,
    block_of,
    blocks,
    is_held_elsewhere,
)
from homing.images.formats.jpeg_segments import (
    PHOTOSHOP as PHOTOSHOP_SEGMENT,
)
from homing.images.formats.jpeg_segments import (
    XMP as XMP_SEGMENT,
)
from homing.images.formats.png import XMP as XMP_TEXT
from homing.images.formats.png import PngHeader, parse_png
from homing.images.formats.png_carried import CREDENTIALS
from homing.images.formats.tiff import ICC, STRUCTURAL, XMP, TiffHeader, parse_tiff
from homing.images.formats.tiff_carried import IPTC, PHOTOSHOP
from homing.images.formats.tiff_tags import Directory, first_number, write_directory
from homing.images.formats.webp import WebpHeader, parse_webp
from homing.images.kinds import sniff, title
from homing.images.limits import UNLIMITED
from homing.images.picture import Picture, read_picture
from homing.images.pixels import Pixels
from homing.options import Limits

_PARSERS: MappingProxyType[
    str,
    Callable[[bytes, Limits], JpegHeader | PngHeader | WebpHeader | TiffHeader | AvifHeader | Jxl],
] = MappingProxyType(
    {
        "JPEG": parse_jpeg,
        "PNG": parse_png,
        "WEBP": parse_webp,
        "TIFF": parse_tiff,
        "AVIF": parse_avif,
        "JXL": parse_jxl,
    }
)


@dataclass(frozen=True)
class Metadata:
    """Metadata that a picture carries into another kind."""

    exif: bytes | None = None  # block, beginning with its TIFF header
    icc: bytes | None = None
    xmp: bytes | None = None
    extended_xmp: bytes | None = None  # of a JPEG: the part that its packet had no room for
    photoshop: bytes | None = None  # image resources, which hold IPTC; JPEG and TIFF only
    cicp: bytes | None = None  # colours by number, where they are not told by a profile
    others: tuple[str, ...] = ()  # names of what only its own kind has a place for


def read_metadata(kind: str, data: bytes) -> Metadata:
    """Read the metadata of a file of a kind, which was read before without error."""
    return _READERS[kind](data)


def manifest_store(data: bytes) -> bytes | None:
    """Return the C2PA manifest store of a picture; None if it carries none.

    It is a JUMBF superbox (ISO 19566-5): ``application/c2pa``.
    """
    kind = sniff(data)
    if kind not in _PARSERS:
        raise PictureError(
            f"Content Credentials are not read from a {title(kind) or 'file of unknown kind'}; "
            "give JPEG, PNG, WebP, TIFF, AVIF or JPEG XL"
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
    return Metadata(
        header.exif,
        header.icc,
        block_of(header.segments, XMP_SEGMENT),
        block_of(header.segments, EXTENDED_XMP),
        block_of(header.segments, PHOTOSHOP_SEGMENT),
        others=(*_other_segments(header), *((BEHIND,) if stands_behind(data) else ())),
    )


_RESOLUTION = 282  # tag


def _other_segments(header: JpegHeader) -> tuple[str, ...]:
    """Return the names of segments of a JPEG that other kinds have no place for."""
    found = [each.name for each in blocks(header.segments)]
    names = ["a second EXIF block"] * (found.count(EXIF) > 1)
    names += ["a second XMP packet"] * (found.count(XMP_SEGMENT) > 1)
    for (marker, payload), gone in zip(
        header.segments, is_credentials(header.segments), strict=True
    ):
        carried = is_held_elsewhere(marker, payload)
        if marker == COMMENT:
            names.append("the comment")
        elif marker == 0xE0 and payload[7:8] in (b"\1", b"\2"):
            if first_number(header.exif or b"", _RESOLUTION) is None:
                names.append("the resolution")
        elif 0xE0 <= marker <= 0xEF and not carried and not gone:
            names.append(f"segment APP{marker - 0xE0}")
    return tuple(dict.fromkeys(names))


def _from_png(data: bytes) -> Metadata:
    header = parse_png(data, UNLIMITED)
    others = [
        f"chunk {name.decode('ascii', 'replace')}"
        for name, content in header.before + header.after
        if name not in (b"eXIf", b"iCCP", CREDENTIALS)
        and not (name == b"iTXt" and content.startswith(XMP_TEXT))
        and (name, content) != _SRGB
    ]
    told = header.told
    return Metadata(told.exif, told.icc, told.xmp, others=tuple(dict.fromkeys(others)))


def _from_webp(data: bytes) -> Metadata:
    header = parse_webp(data, UNLIMITED)
    exif = header.exif.removeprefix(EXIF) if header.exif is not None else None
    others = tuple(f"chunk {name.decode('ascii', 'replace')}" for name, _ in header.others)
    return Metadata(exif, header.icc, header.xmp, others=others)


def _from_tiff(data: bytes) -> Metadata:
    return metadata_of(parse_tiff(data, UNLIMITED).directory)


def _from_header(header: AvifHeader | Jxl) -> Metadata:
    """Return the metadata of an AVIF or JPEG XL, whose orientation the header tells."""
    told = header.told
    cicp = _SRGB_CICP if told.srgb else told.cicp
    exif = with_orientation(header.exif, told.orientation or 1)
    return Metadata(exif, told.icc, header.xmp, cicp=cicp, others=header.others)


def metadata_of(directory: Directory) -> Metadata:
    """Return the metadata that the directory of a TIFF holds."""
    apart = STRUCTURAL | {254, XMP, IPTC, PHOTOSHOP, ICC}
    carried = {tag: entry for tag, entry in directory.entries.items() if tag not in apart}
    exif = None
    if carried or directory.beneath:
        mark = b"II*\0\x08\0\0\0" if directory.order == "<" else b"MM\0*\0\0\0\x08"
        exif = mark + write_directory(Directory(directory.order, carried, directory.beneath), 8)

    def content(tag: int) -> bytes | None:
        entry = directory.entries.get(tag)
        return entry.data if entry else None

    photoshop, iptc = content(PHOTOSHOP), content(IPTC)
    numbers = [each.number for each in read_resources(photoshop or b"")[0]]
    if iptc is not None and IPTC_RESOURCE not in numbers:
        photoshop = (photoshop or b"") + write_resource(IPTC_RESOURCE, iptc)
    return Metadata(exif, content(ICC), content(XMP), photoshop=photoshop)


_SRGB_CICP = b"\1\x0d\0\1"
_SRGB = (b"sRGB", b"\0")  # what pictures without a profile are taken for anyhow
_READERS: MappingProxyType[str, Callable[[bytes], Metadata]] = MappingProxyType(
    {
        "JPEG": _from_jpeg,
        "PNG": _from_png,
        "WEBP": _from_webp,
        "TIFF": _from_tiff,
        "AVIF": lambda data: _from_header(parse_avif(data, UNLIMITED)),
        "JXL": lambda data: _from_header(parse_jxl(data, UNLIMITED)),
    }
)
