"""Metadata that a written file carries on of its source, and notes on the rest."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeAlias

from homing.images.formats.blocks.carriers import MOST_OPAQUE, left_out, no_place
from homing.images.formats.blocks.exif import clean_exif
from homing.images.formats.blocks.look import Look, blanked
from homing.images.formats.blocks.photoshop import clean_resources
from homing.images.formats.blocks.xmp import clean_xmp, without_behind
from homing.images.formats.boxed.avif import parse_avif
from homing.images.formats.boxed.jxl import parse_jxl
from homing.images.formats.jpeg import is_carried, is_credentials, parse_jpeg
from homing.images.formats.jpeg_behind import BEHIND, notes_behind, stands_behind
from homing.images.formats.jpeg_segments import XMP, Segment, clean_segments
from homing.images.formats.png import parse_png
from homing.images.formats.png_carried import clean_chunk
from homing.images.formats.tiff import parse_tiff, unnamed_bytes
from homing.images.formats.tiff_carried import clean_directory
from homing.images.formats.tiff_tags import Directory
from homing.images.formats.webp import WebpHeader, parse_webp
from homing.images.kinds import Kind
from homing.images.limits import UNLIMITED
from homing.images.metadata.foreign import (
    in_one_packet,
    jpeg_segments,
    png_chunks,
    tiff_directory,
    without_resources,
)
from homing.images.metadata.metadata import Metadata, metadata_of, read_metadata
from homing.images.picture import Picture

_MOVED = "the place of the maker note, from which its own offsets may count"
_GAPS = 4096  # bytes of a TIFF between what its tags name, as writers leave them

Chunks = tuple[tuple[bytes, bytes], ...]
"""Types and contents of PNG or WebP chunks."""


_Cleaning: TypeAlias = Callable[[bytes, Look], tuple[bytes, list[str]]]
_Writers: TypeAlias = MappingProxyType[Kind, Callable[[Picture], tuple[Any, tuple[str, ...]]]]


@dataclass(frozen=True)
class PngChunks:
    """Ancillary chunks around the pixels of a PNG."""

    before: Chunks
    after: Chunks = ()


@dataclass(frozen=True)
class About:
    """Metadata of an AVIF or JPEG XL; colours and orientation are those of its header."""

    exif: bytes | None
    xmp: bytes | None


@dataclass(frozen=True)
class WebpChunks:
    """Chunks of a WebP beside its picture."""

    exif: bytes | None
    icc: bytes | None
    xmp: bytes | None
    others: Chunks = ()


def notes_in_place(picture: Picture) -> tuple[str, ...]:
    """Return the notes on a JPEG that is changed in its own coefficients."""
    data = picture.encoded
    _, gone = clean_segments(parse_jpeg(data, UNLIMITED).segments, Look.of_pixels(picture.pixels))
    return (*picture.notes, *left_out(gone), *notes_behind(data))


def notes_coded(picture: Picture, kind: Kind) -> tuple[str, ...]:
    """Return the notes on a picture whose pixels are all coded anew, in a kind."""
    if picture.kind == kind:
        return (*picture.notes, *_OWN[kind](picture)[1])
    return (*picture.notes, *_FOREIGN[kind](picture)[1])


def segments_for(picture: Picture) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
    """Return the metadata segments of a picture written as JPEG, and notes."""
    return _jpeg_of_jpeg(picture) if picture.kind == "JPEG" else _jpeg_of_other(picture)


def chunks_for(picture: Picture) -> tuple[PngChunks, tuple[str, ...]]:
    """Return the chunks of a picture written as PNG, and notes."""
    return _png_of_png(picture) if picture.kind == "PNG" else _png_of_other(picture)


def webp_chunks_for(picture: Picture) -> tuple[WebpChunks, tuple[str, ...]]:
    """Return the chunks of a picture written as WebP, and notes."""
    return _webp_of_webp(picture) if picture.kind == "WEBP" else _webp_of_other(picture)


def directory_for(picture: Picture) -> tuple[Directory, tuple[str, ...]]:
    """Return the tags of a picture written as TIFF, and notes."""
    return _tiff_of_tiff(picture) if picture.kind == "TIFF" else _tiff_of_other(picture)


def about_for(picture: Picture) -> tuple[About, tuple[str, ...]]:
    """Return the metadata of an AVIF or JPEG XL written in its own kind, and notes."""
    parse = parse_avif if picture.kind == "AVIF" else parse_jxl
    header = parse(picture.encoded, UNLIMITED)
    look = Look.of_pixels(picture.pixels)
    cleaned, gone = _cleaned(Metadata(exif=header.exif, xmp=header.xmp), look)
    return About(cleaned.exif, cleaned.xmp), left_out([*gone, *header.others])


def _jpeg_of_jpeg(picture: Picture) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
    segments = parse_jpeg(picture.encoded, UNLIMITED).segments
    cleaned, gone = clean_segments(segments, Look.of_pixels(picture.pixels))
    behind = stands_behind(picture.encoded)
    kept = []
    for place, (segment, credentials) in enumerate(
        zip(segments, is_credentials(segments), strict=True)
    ):
        payload = cleaned.get(place, segment[1])
        if payload is None or credentials or not is_carried(*segment):
            continue
        if behind and segment[0] == 0xE1 and payload.startswith(XMP):
            payload = without_behind(payload)
        kept.append((segment[0], payload))
    return tuple(kept), left_out(gone) + no_place([BEHIND] * behind, "JPEG coded anew")


def _png_of_png(picture: Picture) -> tuple[PngChunks, tuple[str, ...]]:
    header = parse_png(picture.encoded, UNLIMITED)
    look = Look.of_pixels(picture.pixels)
    sides: list[Chunks] = []
    gone: list[str] = []
    for side in (header.before, header.after):
        kept = []
        for name, content in side:
            cleaned, names = clean_chunk(name, content, header, look)
            gone += names
            if cleaned is not None:
                kept.append((name, cleaned))
        sides.append(tuple(kept))
    gone += _behind(len(picture.encoded) - header.end)
    return PngChunks(*sides), left_out(gone)


def _webp_of_webp(picture: Picture) -> tuple[WebpChunks, tuple[str, ...]]:
    header = parse_webp(picture.encoded, UNLIMITED)
    look = Look.of_pixels(picture.pixels)
    cleaned, gone = _cleaned(Metadata(exif=header.exif, xmp=header.xmp), look)
    others = []
    for name, content in header.others:
        shown = name.decode("ascii", "replace")
        if len(content) > MOST_OPAQUE:
            gone.append(f"chunk {shown} ({len(content):,} bytes)")
            continue
        spans = look.unreleased(content)
        gone += [f"a preview in chunk {shown}"] * bool(spans)
        others.append((name, blanked(content, spans)))
    gone += _unread(header, len(picture.encoded))
    chunks = WebpChunks(cleaned.exif, header.icc, cleaned.xmp, tuple(others))
    return chunks, left_out(gone)


def _tiff_of_tiff(picture: Picture) -> tuple[Directory, tuple[str, ...]]:
    source = parse_tiff(picture.encoded, UNLIMITED).directory
    directory, gone = clean_directory(source, Look.of_pixels(picture.pixels))
    return directory, left_out(gone + _unnamed(picture, source))


def _jpeg_of_other(picture: Picture) -> tuple[tuple[Segment, ...], tuple[str, ...]]:
    metadata, gone, lost = _foreign(picture)
    return jpeg_segments(metadata), left_out(gone) + no_place(lost, "JPEG")


def _png_of_other(picture: Picture) -> tuple[PngChunks, tuple[str, ...]]:
    metadata, gone, lost = _foreign(picture)
    metadata, others = without_resources(metadata)
    chunks = PngChunks(png_chunks(metadata))
    return chunks, left_out(gone) + no_place(lost + others, "PNG")


def _webp_of_other(picture: Picture) -> tuple[WebpChunks, tuple[str, ...]]:
    metadata, gone, lost = _foreign(picture)
    metadata, others = without_resources(metadata)
    chunks = WebpChunks(metadata.exif, metadata.icc, metadata.xmp)
    return chunks, left_out(gone) + no_place(lost + others, "WebP")


def _tiff_of_other(picture: Picture) -> tuple[Directory, tuple[str, ...]]:
    metadata, gone, lost = _foreign(picture)
    directory, others = tiff_directory(metadata)
    return directory, left_out(gone) + no_place(lost + others, "TIFF")


_OWN: _Writers = MappingProxyType(
    {
        "JPEG": _jpeg_of_jpeg,
        "PNG": _png_of_png,
        "WEBP": _webp_of_webp,
        "TIFF": _tiff_of_tiff,
        "AVIF": about_for,
        "JXL": about_for,
    }
)
_FOREIGN: _Writers = MappingProxyType(
    {"JPEG": _jpeg_of_other, "PNG": _png_of_other, "WEBP": _webp_of_other, "TIFF": _tiff_of_other}
)


def _behind(count: int) -> list[str]:
    return [f"data behind the end ({count:,} bytes)"] * (count > 0)


def _unread(header: WebpHeader, length: int) -> list[str]:
    """Return names of what a WebP of a length, bytes, has beside what its readers look at."""
    second = [f"a second chunk {name.decode().strip()}" for name in header.repeated]
    return second + _behind(length - header.end)


def _unnamed(picture: Picture, directory: Directory) -> list[str]:
    count = unnamed_bytes(picture.encoded, directory)
    return [f"{count:,} bytes that no tag names"] * (count > _GAPS)


def _foreign(picture: Picture) -> tuple[Metadata, list[str], list[str]]:
    """Return the metadata of a picture that will be of another kind, and two lists of names.

    Of what may not leave, and of what another kind has no place for.
    """
    look = Look.of_pixels(picture.pixels)
    data = picture.encoded
    if picture.kind == "TIFF":
        source = parse_tiff(data, UNLIMITED).directory
        directory, gone = clean_directory(source, look)
        moved = [_MOVED] * (directory.maker_note is not None)
        return metadata_of(directory), gone + _unnamed(picture, source), moved
    metadata, gone = _cleaned(read_metadata(picture.kind, data), look)
    if picture.kind == "JPEG" and BEHIND in metadata.others and metadata.xmp is not None:
        metadata = replace(metadata, xmp=without_behind(metadata.xmp))
    if picture.kind == "PNG":
        gone += _behind(len(data) - parse_png(data, UNLIMITED).end)
    if picture.kind == "WEBP":
        gone += _unread(parse_webp(data, UNLIMITED), len(data))
    metadata, lost = in_one_packet(metadata)
    return metadata, gone, [*lost, *metadata.others]


def _cleaned(metadata: Metadata, look: Look) -> tuple[Metadata, list[str]]:
    """Return metadata without pictures above thumbnail size, and the names of these."""
    gone: list[str] = []

    def clean(content: bytes | None, cleaning: _Cleaning) -> bytes | None:
        if content is None:
            return None
        cleaned, names = cleaning(content, look)
        gone.extend(names)
        return cleaned

    cleaned = replace(
        metadata,
        exif=clean(metadata.exif, clean_exif),
        xmp=clean(metadata.xmp, clean_xmp),
        extended_xmp=clean(metadata.extended_xmp, clean_xmp),
        photoshop=clean(metadata.photoshop, clean_resources),
    )
    return cleaned, gone
