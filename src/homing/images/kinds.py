"""Kinds of picture: by a file's first bytes, and by its suffix."""

from types import MappingProxyType
from typing import Literal, TypeAlias

from homing.errors import PictureError

Kind: TypeAlias = Literal["JPEG", "PNG", "WEBP", "TIFF"]

KINDS: MappingProxyType[str, Kind] = MappingProxyType(
    {
        ".jpg": "JPEG",
        ".jpeg": "JPEG",
        ".jpe": "JPEG",
        ".png": "PNG",
        ".webp": "WEBP",
        ".tif": "TIFF",
        ".tiff": "TIFF",
    }
)
"""Suffix (lower case, with its dot) to the kind of picture; the kinds homing writes."""

SUFFIXES: MappingProxyType[str, str] = MappingProxyType(
    {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif"}
)
"""Kind of picture to the suffix that homing gives its files."""

OTHER_SUFFIXES = frozenset({".gif", ".bmp", ".jp2", ".avif", ".heic"})
"""Suffixes of pictures that homing may read but does not write."""

UNREAD_SUFFIXES = frozenset(
    {".jxl", ".heif", ".hif", ".avifs", ".heics", ".jxr", ".wdp", ".hdp", ".j2k", ".jpf", ".jpx"}
    | {".psd", ".psb", ".xcf", ".kra", ".clip", ".afphoto", ".ai", ".eps", ".svg", ".tga", ".ico"}
    | {".exr", ".hdr", ".dds", ".pcx", ".ppm", ".pgm", ".pbm", ".dcm", ".fits", ".djvu"}
    | {".raw", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".raf"}
    | {".orf", ".rw2", ".rwl", ".pef", ".srw", ".x3f", ".3fr", ".fff", ".iiq", ".mos", ".mrw"}
    | {".erf", ".kdc", ".dcr", ".mef", ".gpr"}
)
"""Suffixes of pictures of other kinds; in a folder they are passed over, and counted."""

MAGIC_LENGTH = 16
"""Number of a file's first bytes that :func:`sniff` needs."""

# Bytes that a script or a server puts in front of a picture; the last three are UTF-8's mark.
_BLANKS, _MOST_BLANKS = b"\r\n\t \0\xef\xbb\xbf", 4096

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
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
)


def sniff(data: bytes) -> str:
    """Return the kind of a file by its first bytes: a key of :data:`SUFFIXES` or another.

    The others are "GIF", "BMP", "JPEG2000", "AVIF" and "HEIC"; "" if the kind is unknown.
    """
    head = data[:MAGIC_LENGTH]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        if head[8:12] in (b"avif", b"avis"):
            return "AVIF"
        return "HEIC" if head[8:12] in _HEIF_BRANDS else ""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return ""


def count_blanks(data: bytes) -> int:
    """Return how many stray bytes stand in front of a picture; 0 too if there is none."""
    head = data[:_MOST_BLANKS]
    bare = head.lstrip(_BLANKS)
    return len(head) - len(bare) if sniff(bare) else 0


def unknown(data: bytes) -> PictureError:
    """Return the error for a file whose first bytes are of no known kind."""
    if blanks := count_blanks(data):
        kind = sniff(data[blanks : blanks + MAGIC_LENGTH])
        return PictureError(
            f"a {kind} picture behind {blanks} stray bytes; export or download it again"
        )
    return PictureError(
        f"not a picture of a kind that homing reads (it begins with {data[:8]!r}); "
        "give JPEG, PNG, WebP or TIFF"
    )
