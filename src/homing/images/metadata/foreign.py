"""Metadata written in another kind than they came in."""

import zlib
from dataclasses import replace

from homing.errors import PictureError
from homing.images.formats.blocks.iptc import properties_of
from homing.images.formats.blocks.photoshop import IPTC, THUMBNAILS, read_resources
from homing.images.formats.blocks.xmp import joined, parted, with_properties, without_extension
from homing.images.formats.jpeg_segments import (
    EXIF,
    EXTENDED_XMP,
    ICC,
    MOST,
    PHOTOSHOP,
    XMP,
    Segment,
)
from homing.images.formats.tiff import ICC as ICC_TAG
from homing.images.formats.tiff import XMP as XMP_TAG
from homing.images.formats.tiff_carried import PHOTOSHOP as PHOTOSHOP_TAG
from homing.images.formats.tiff_tags import Directory, Entry, parse_block
from homing.images.metadata.metadata import Metadata

_SRGB = b"\1\x0d"  # primaries and transfer
_DIGEST = 1061  # of the IPTC block, which tells whether XMP or IPTC is newer
_ICC_PART = MOST - len(ICC) - 2
_EXTENDED_PART = MOST - len(EXTENDED_XMP) - 40


def in_one_packet(metadata: Metadata) -> tuple[Metadata, list[str]]:
    """Return metadata whose XMP is one packet, and names of what was lost."""
    if metadata.extended_xmp is None:
        return metadata, []
    packet = metadata.xmp
    whole = joined(packet, metadata.extended_xmp) if packet is not None else None
    if whole is not None:
        return replace(metadata, xmp=whole, extended_xmp=None), []
    packet = None if packet is None else without_extension(packet)
    return replace(metadata, xmp=packet, extended_xmp=None), ["the extended XMP"]


def without_resources(metadata: Metadata) -> tuple[Metadata, list[str]]:
    """Return metadata with IPTC as XMP in place of Photoshop's resources, and names of the rest."""
    if metadata.photoshop is None:
        return metadata, []
    resources, _ = read_resources(metadata.photoshop)
    rest = [each.number for each in resources if each.number not in (IPTC, _DIGEST, *THUMBNAILS)]
    names = [f"Photoshop's resource {number}" for number in rest]
    packet = metadata.xmp
    for each in resources:
        if each.number == IPTC:
            properties, left = properties_of(each.content)
            added = with_properties(packet, properties)
            names += left if added is not None or not properties else ["IPTC"]
            packet = packet if added is None else added
    return replace(metadata, xmp=packet, photoshop=None), names


def jpeg_segments(metadata: Metadata) -> tuple[Segment, ...]:
    """Return metadata as the markers and payloads of JPEG segments.

    An EXIF block, or XMP packet, too long for one segment is parted.
    """
    segments: list[Segment] = []
    segments += [(0xE1, EXIF + part) for part in _parts(metadata.exif, MOST - len(EXIF))]
    packet = metadata.xmp
    if packet is not None and len(XMP) + len(packet) > MOST:
        packet, guid, extension = parted(packet)
        length = len(extension).to_bytes(4, "big")
        extended = [
            (0xE1, EXTENDED_XMP + guid + length + (n * _EXTENDED_PART).to_bytes(4, "big") + part)
            for n, part in enumerate(_parts(extension, _EXTENDED_PART))
        ]
        segments += [(0xE1, XMP + packet), *extended]
    elif packet is not None:
        segments.append((0xE1, XMP + packet))
    profile = _parts(metadata.icc, _ICC_PART)
    if len(profile) > 255:
        raise PictureError(
            f"the colour profile of {len(metadata.icc or b'')} bytes is too long for a JPEG"
        )
    for number, part in enumerate(profile, 1):
        segments.append((0xE2, ICC + bytes((number, len(profile))) + part))
    segments += [
        (0xED, PHOTOSHOP + part) for part in _parts(metadata.photoshop, MOST - len(PHOTOSHOP))
    ]
    return tuple(segments)


def _parts(content: bytes | None, most: int) -> list[bytes]:
    return (
        [content[at : at + most] for at in range(0, len(content or b""), most)] if content else []
    )


def png_chunks(metadata: Metadata) -> tuple[tuple[bytes, bytes], ...]:
    """Return metadata as the types and contents of PNG chunks."""
    chunks: list[tuple[bytes, bytes]] = []
    if metadata.icc is not None:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc)))
    elif metadata.cicp is not None:
        srgb = metadata.cicp[:2] == _SRGB
        chunks.append((b"sRGB", b"\0") if srgb else (b"cICP", metadata.cicp))
    if metadata.exif is not None:
        chunks.append((b"eXIf", metadata.exif.removeprefix(EXIF)))
    if metadata.xmp is not None:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    return tuple(chunks)


def tiff_directory(metadata: Metadata) -> tuple[Directory, list[str]]:
    """Return metadata as the tags of a TIFF, and names of the rest.

    Refused if the EXIF block is damaged.
    """
    found = Directory("<", {})
    if metadata.exif is not None:
        block = parse_block(metadata.exif.removeprefix(EXIF))
        if block is None:
            raise PictureError("the EXIF block is damaged and cannot be carried into a TIFF")
        found = block
    entries = dict(found.entries)
    for tag, content in (
        (XMP_TAG, metadata.xmp),
        (PHOTOSHOP_TAG, metadata.photoshop),
        (ICC_TAG, metadata.icc),
    ):
        if content:
            entries[tag] = Entry(1 if tag != ICC_TAG else 7, len(content), content)
    names = ["the EXIF thumbnail"] * (found.following > 0)
    return Directory(found.order, entries, found.beneath), names
