"""Kinds of picture, and of what else shows pictures: by a file's first bytes, and by its suffix."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from homing.errors import PictureError

Kind: TypeAlias = Literal["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "JXL"]

KINDS: MappingProxyType[str, Kind] = MappingProxyType(
    {
        ".jpg": "JPEG",
        ".jpeg": "JPEG",
        ".jpe": "JPEG",
        ".png": "PNG",
        ".webp": "WEBP",
        ".tif": "TIFF",
        ".tiff": "TIFF",
        ".avif": "AVIF",
        ".jxl": "JXL",
    }
)
"""Suffix (lower case, with its dot) to the kind of picture; the kinds homing writes."""

SUFFIXES: MappingProxyType[str, str] = MappingProxyType(
    {
        "JPEG": ".jpg",
        "PNG": ".png",
        "WEBP": ".webp",
        "TIFF": ".tif",
        "AVIF": ".avif",
        "JXL": ".jxl",
    }
)
"""Kind of picture to the suffix that homing gives its files."""

TITLES: MappingProxyType[str, str] = MappingProxyType(
    {"WEBP": "WebP", "JXL": "JPEG XL", "JPEG2000": "JPEG 2000"}
)
"""Names of kinds for people, where they are not the kind itself."""

OTHER_SUFFIXES: MappingProxyType[str, str] = MappingProxyType(
    {
        ".gif": "GIF",
        ".bmp": "BMP",
        ".dib": "BMP",
        ".jp2": "JPEG2000",
        ".j2k": "JPEG2000",
        ".j2c": "JPEG2000",
        ".jpf": "JPEG2000",
        ".jpx": "JPEG2000",
        ".avifs": "AVIF",
        ".heic": "HEIC",
        ".heif": "HEIC",
        ".heics": "HEIC",
        ".hif": "HEIC",
        ".mpo": "JPEG",
    }
)
"""Further suffixes of pictures that homing reads, and the kinds that they promise."""

HEAD = 512
"""Number of a file's first bytes that :func:`find_unread` looks at."""

_EXPORT = "export it as JPEG or TIFF first"
_FLATTEN = "save it flat, as PNG or TIFF, first"
_RENDER = "render it as PNG first"
_CONVERT = "convert it to PNG or TIFF first"
_FRAMES = "save the frames that matter as pictures first"


@dataclass(frozen=True)
class Unread:
    """A kind of file that shows pictures, and that homing does not read."""

    name: str  # "a Canon raw file"
    remedy: str
    suffixes: tuple[str, ...]
    beginnings: tuple[tuple[int, bytes], ...] = ()  # offset and bytes there: one of these


UNREAD = (
    Unread(
        "a Canon raw file",
        _EXPORT,
        (".cr2", ".cr3", ".crw"),
        ((8, b"CR\2\0"), (4, b"ftypcrx "), (6, b"HEAPCCDR")),
    ),
    Unread("a Nikon raw file", _EXPORT, (".nef", ".nrw")),
    Unread("a Sony raw file", _EXPORT, (".arw", ".srf", ".sr2")),
    Unread("a Fujifilm raw file", _EXPORT, (".raf",), ((0, b"FUJIFILMCCD-RAW"),)),
    Unread(
        "an Olympus raw file",
        _EXPORT,
        (".orf",),
        ((0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR")),
    ),
    Unread("a Panasonic or Leica raw file", _EXPORT, (".rw2", ".rwl"), ((0, b"IIU\0"),)),
    Unread("a DNG raw file", _EXPORT, (".dng", ".gpr")),
    Unread("a Sigma raw file", _EXPORT, (".x3f",), ((0, b"FOVb"),)),
    Unread("a Minolta raw file", _EXPORT, (".mrw",), ((0, b"\0MRM"),)),
    Unread("a Phase One raw file", _EXPORT, (".iiq",), ((8, b"IIII"), (8, b"MMMM"))),
    Unread(
        "a raw file",
        _EXPORT,
        (".raw", ".pef", ".srw", ".3fr", ".fff", ".mos", ".erf", ".kdc", ".dcr", ".mef"),
    ),
    Unread("a Photoshop file", _FLATTEN, (".psd", ".psb"), ((0, b"8BPS\0\1"), (0, b"8BPS\0\2"))),
    Unread(
        "a file of layers",
        _FLATTEN,
        (".xcf", ".kra", ".clip", ".afphoto"),
        ((0, b"gimp xcf"), (38, b"application/x-krita"), (0, b"CSFCHUNK")),
    ),
    Unread("a PDF", _RENDER, (".pdf", ".ai"), ((0, b"%PDF-"),)),
    Unread("PostScript", _RENDER, (".eps", ".ps"), ((0, b"%!PS"), (0, b"\xc5\xd0\xd3\xc6"))),
    Unread("an SVG drawing", _RENDER, (".svg", ".svgz")),
    Unread(
        "a video",
        _FRAMES,
        (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".3gp", ".mts"),
        (
            *((4, b"ftyp" + brand) for brand in (b"iso", b"mp4", b"avc1", b"qt  ", b"M4V", b"3gp")),
            (4, b"moov"),
            (8, b"AVI LIST"),
            (0, b"\x1a\x45\xdf\xa3"),
            (0, b"\0\0\1\xba"),
        ),
    ),
    Unread("a JPEG XR", _CONVERT, (".jxr", ".wdp", ".hdp"), ((0, b"II\xbc\1"),)),
    Unread("an OpenEXR picture", _CONVERT, (".exr",), ((0, b"v/1\1"),)),
    Unread("a Radiance picture", _CONVERT, (".hdr",), ((0, b"#?RADIANCE"), (0, b"#?RGBE"))),
    Unread("a DirectDraw texture", _CONVERT, (".dds",), ((0, b"DDS \x7c"),)),
    Unread("a DICOM file", _CONVERT, (".dcm",), ((128, b"DICM"),)),
    Unread("a FITS file", _CONVERT, (".fits", ".fit"), ((0, b"SIMPLE  ="),)),
    Unread("a DjVu document", _RENDER, (".djvu", ".djv"), ((0, b"AT&TFORM"),)),
    Unread("an icon", _CONVERT, (".ico", ".icns"), ((0, b"\0\0\1\0"), (0, b"icns"))),
    Unread("a PCX picture", _CONVERT, (".pcx",)),
    Unread("a TGA picture", _CONVERT, (".tga",)),
    Unread(
        "a Netpbm picture",
        _CONVERT,
        (".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".pfm"),
        tuple((0, b"P%d\n" % kind) for kind in range(1, 8)),
    ),
    Unread("a QOI picture", _CONVERT, (".qoi",), ((0, b"qoif"),)),
)
"""All kinds that are named, those known by their first bytes and those known by their suffix."""

_BY_SUFFIX = MappingProxyType({suffix: each for each in UNREAD for suffix in each.suffixes})
_DRAWING = next(each for each in UNREAD if ".svg" in each.suffixes)

MAGIC_LENGTH = 64
"""Number of a file's first bytes that :func:`sniff` needs."""

# Bytes that a script or a server puts in front of a picture; the last three are UTF-8's mark.
_BLANKS, _MOST_BLANKS = b"\r\n\t \0\xef\xbb\xbf", 4096

_HEIF_BRANDS = frozenset(b"heic heix heim heis hevc hevx mif1 msf1".split())
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    (b"\xff\x0a", "JXL"),
)


def sniff(data: bytes) -> str:
    """Return the kind of a file by its first bytes: a key of :data:`SUFFIXES` or another.

    The others are "GIF", "BMP", "JPEG2000" and "HEIC"; "" if the kind is unknown.
    """
    head = data[:MAGIC_LENGTH]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = {head[at : at + 4] for at in (8, *range(16, min(head[3], MAGIC_LENGTH), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIC" if brands & _HEIF_BRANDS else ""
    if head[8:11] == b"CR\2":  # a raw file laid out as a TIFF
        return ""
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "")


def title(kind: str) -> str:
    """Return the name of a kind for people."""
    return TITLES.get(kind, kind)


def count_blanks(data: bytes) -> int:
    """Return how many stray bytes stand in front of a picture; 0 too if there is none."""
    head = data[:_MOST_BLANKS]
    bare = head.lstrip(_BLANKS)
    return len(head) - len(bare) if sniff(bare) else 0


def find_unread(head: bytes, suffix: str = "") -> Unread | None:
    """Return which of these kinds a file is, None if it is none of them.

    Its first bytes decide; its suffix (lower case, with its dot) where they tell nothing, or no
    more than that a raw file is laid out as a TIFF.
    """
    for each in UNREAD:
        if any(head.startswith(mark, at) for at, mark in each.beginnings):
            return each
    if _is_drawing(head):
        return _DRAWING
    return _BY_SUFFIX.get(suffix)


def _is_drawing(head: bytes) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return text.startswith((b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in head


def unknown(data: bytes) -> PictureError:
    """Return the error for a file whose first bytes are of no known kind."""
    if blanks := count_blanks(data):
        kind = title(sniff(data[blanks : blanks + MAGIC_LENGTH]))
        return PictureError(
            f"a {kind} picture behind {blanks} stray bytes; export or download it again"
        )
    if (found := find_unread(data[:HEAD])) is not None:
        return PictureError(f"{found.name}, which homing does not read; {found.remedy}")
    if data[:HEAD].lstrip(_BLANKS).lower().startswith((b"<!doctype html", b"<html")):
        return PictureError("a web page, and not a picture; save the picture itself")
    text = bool(data) and data[:HEAD].translate(None, b"\t\r\n").decode("latin-1").isprintable()
    begins = "it is text" if text and data[:HEAD].isascii() else f"it begins with {data[:8]!r}"
    return PictureError(
        f"not a picture of a kind that homing reads ({begins}); give JPEG, PNG, WebP or TIFF"
    )
