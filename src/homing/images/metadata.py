"""What a file says besides its pixels, carried from one kind of picture to another."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from homing.errors import PictureError
from homing.images.formats.jpeg import parse_jpeg
from homing.images.formats.png import parse_png
from homing.images.formats.tiff import STRUCTURAL, parse_tiff
from homing.images.formats.tiff_tags import Directory, Entry, parse_block, write_directory
from homing.images.formats.webp import parse_webp
from homing.options import Limits

_UNLIMITED = Limits(max_pixels=2**48, max_bytes=2**48)
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
_PHOTOSHOP_PREFIX = b"Photoshop 3.0\0"
_SEGMENT = 65533
_ICC_PART = 65519
_INFLATED = 64 * 2**20
_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675
_RESOLUTIONS = (282, 283, 296)


@dataclass(frozen=True)
class Metadata:
    """What is carried when a picture changes its kind.

    Parameters
    ----------
    exif : bytes or None
        EXIF block, beginning with its TIFF header.
    icc : bytes or None
        Colour profile.
    xmp : bytes or None
        XMP packet.
    photoshop : bytes or None
        Photoshop's image resources, which hold IPTC; JPEG and TIFF only.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    photoshop: bytes | None = None


def read_metadata(kind: str, data: bytes) -> Metadata:
    """Gather what a file of a kind says besides its pixels.

    Parameters
    ----------
    kind : {"JPEG", "PNG", "WEBP", "TIFF"}
        Kind of the file.
    data : bytes
        The file, already read once without error.
    """
    return _READERS[kind](data)


def _from_jpeg(data: bytes) -> Metadata:
    header = parse_jpeg(data, _UNLIMITED)
    parts = sorted(
        (part for part in header.payloads(0xE2, b"ICC_PROFILE\0") if len(part) > 2),
        key=lambda part: part[0],
    )
    photoshop = b"".join(header.payloads(0xED, _PHOTOSHOP_PREFIX))
    return Metadata(
        header.exif,
        b"".join(part[2:] for part in parts) or None,
        next(iter(header.payloads(0xE1, _XMP_PREFIX)), None),
        photoshop or None,
    )


def _inflated(content: bytes) -> bytes | None:
    """Inflate, but no bomb; None if it is damaged."""
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(content, _INFLATED)
    except zlib.error:
        return None
    return found if inflater.eof else None


def _from_png(data: bytes) -> Metadata:
    header = parse_png(data, _UNLIMITED)
    exif = icc = xmp = None
    for name, content in header.before + header.after:
        if name == b"eXIf":
            exif = content
        elif name == b"iCCP":
            icc = _inflated(content.partition(b"\0")[2][1:])
        elif name == b"iTXt" and content.startswith(b"XML:com.adobe.xmp\0"):
            xmp = _international_text(content)
    return Metadata(exif, icc, xmp)


def _international_text(content: bytes) -> bytes | None:
    """Return the text of an iTXt chunk: keyword, two flags, language, keyword, text."""
    rest = content.partition(b"\0")[2]
    text = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return _inflated(text) if rest[:1] == b"\1" else text


def _from_webp(data: bytes) -> Metadata:
    header = parse_webp(data, _UNLIMITED)
    exif = header.exif.removeprefix(b"Exif\0\0") if header.exif is not None else None
    return Metadata(exif, header.icc, header.xmp)


def _from_tiff(data: bytes) -> Metadata:
    directory = parse_tiff(data, _UNLIMITED).directory
    apart = STRUCTURAL | {254, _XMP, _IPTC, _PHOTOSHOP, _ICC}
    kept = {tag: entry for tag, entry in directory.entries.items() if tag not in apart}
    exif = None
    if kept or directory.beneath:
        mark = b"II*\0\x08\0\0\0" if directory.order == "<" else b"MM\0*\0\0\0\x08"
        exif = mark + write_directory(Directory(directory.order, kept, directory.beneath), 8)

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
    """Return metadata as the markers and payloads of JPEG segments.

    Raises
    ------
    PictureError
        If EXIF, XMP or the profile is longer than segments can hold.
    """
    segments: list[tuple[int, bytes]] = []
    for name, marker, prefix, content in (
        ("EXIF block", 0xE1, b"Exif\0\0", metadata.exif),
        ("XMP packet", 0xE1, _XMP_PREFIX, metadata.xmp),
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
    """Return metadata as the tags of a TIFF.

    Raises
    ------
    PictureError
        If the EXIF block is damaged, so that its tags cannot be carried.
    """
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
