"""List of everything in a file that can hold a picture's pixels, and what becomes of it.

A released file shows the original at thumbnail size at most. A test builds one of each.
"""

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from homing.images.kinds import Kind

THUMBNAIL = 320
"""Pixels of the longer side up to which a picture of the original may leave."""

MOST_OPAQUE = 1 << 16
"""Bytes up to which private data of unknown content are carried: as much as a JPEG segment."""


class Fate(Enum):
    """Fate of a carrier in a released file."""

    CHANGED = "changed as well"
    THUMBNAIL = "kept up to thumbnail size, otherwise left out with a note"
    UNLESS_IT_SHOWS = "kept, unless it shows the picture above thumbnail size: left out with a note"
    UNLESS_LONG = "as the former; above 64 KiB left out with a note, whatever it shows"
    LEFT_OUT = "left out with a note"
    REFUSED = "refused"


@dataclass(frozen=True)
class Carrier:
    """A place in a file of a kind that can hold pixels."""

    kind: Kind
    place: str
    fate: Fate


CARRIERS = (
    Carrier("JPEG", "scans", Fate.CHANGED),
    Carrier("JPEG", "JFIF thumbnail", Fate.THUMBNAIL),
    Carrier("JPEG", "EXIF thumbnail", Fate.THUMBNAIL),
    Carrier("JPEG", "maker note", Fate.UNLESS_IT_SHOWS),
    Carrier("JPEG", "Photoshop thumbnail", Fate.THUMBNAIL),
    Carrier("JPEG", "XMP", Fate.UNLESS_IT_SHOWS),
    Carrier("JPEG", "extended XMP", Fate.UNLESS_IT_SHOWS),
    Carrier("JPEG", "FlashPix segments", Fate.UNLESS_IT_SHOWS),
    Carrier("JPEG", "other segments", Fate.UNLESS_IT_SHOWS),
    Carrier("JPEG", "previews in the index (MPF)", Fate.LEFT_OUT),
    Carrier("JPEG", "pictures behind the end", Fate.UNLESS_IT_SHOWS),
    Carrier("JPEG", "data behind the end", Fate.UNLESS_LONG),
    Carrier("JPEG", "C2PA manifest store", Fate.LEFT_OUT),
    Carrier("PNG", "IDAT", Fate.CHANGED),
    Carrier("PNG", "animation", Fate.REFUSED),
    Carrier("PNG", "eXIf thumbnail", Fate.THUMBNAIL),
    Carrier("PNG", "XMP", Fate.UNLESS_IT_SHOWS),
    Carrier("PNG", "text", Fate.UNLESS_IT_SHOWS),
    Carrier("PNG", "private chunk, safe to copy", Fate.UNLESS_LONG),
    Carrier("PNG", "private chunk, not safe to copy", Fate.LEFT_OUT),
    Carrier("PNG", "data behind the end", Fate.LEFT_OUT),
    Carrier("PNG", "C2PA manifest store", Fate.LEFT_OUT),
    Carrier("WEBP", "VP8 or VP8L", Fate.CHANGED),
    Carrier("WEBP", "animation", Fate.REFUSED),
    Carrier("WEBP", "second picture", Fate.REFUSED),
    Carrier("WEBP", "EXIF thumbnail", Fate.THUMBNAIL),
    Carrier("WEBP", "XMP", Fate.UNLESS_IT_SHOWS),
    Carrier("WEBP", "unknown chunk", Fate.UNLESS_LONG),
    Carrier("WEBP", "data behind the end", Fate.LEFT_OUT),
    Carrier("WEBP", "C2PA manifest store", Fate.LEFT_OUT),
    Carrier("TIFF", "strips or tiles", Fate.CHANGED),
    Carrier("TIFF", "further pages", Fate.REFUSED),
    Carrier("TIFF", "pages without a directory", Fate.REFUSED),
    Carrier("TIFF", "pictures inside (SubIFDs)", Fate.REFUSED),
    Carrier("TIFF", "layers", Fate.LEFT_OUT),
    Carrier("TIFF", "raw file inside", Fate.LEFT_OUT),
    Carrier("TIFF", "JPEG preview", Fate.LEFT_OUT),
    Carrier("TIFF", "Photoshop thumbnail", Fate.THUMBNAIL),
    Carrier("TIFF", "XMP", Fate.UNLESS_IT_SHOWS),
    Carrier("TIFF", "maker note", Fate.UNLESS_IT_SHOWS),
    Carrier("TIFF", "private tag", Fate.UNLESS_LONG),
    Carrier("TIFF", "pointer to other data", Fate.LEFT_OUT),
    Carrier("TIFF", "data that no tag names", Fate.LEFT_OUT),
    Carrier("TIFF", "C2PA manifest store", Fate.LEFT_OUT),
    Carrier("AVIF", "AV1 picture", Fate.CHANGED),
    Carrier("AVIF", "animation", Fate.REFUSED),
    Carrier("AVIF", "thumbnail", Fate.LEFT_OUT),
    Carrier("AVIF", "gain map, depth map", Fate.LEFT_OUT),
    Carrier("AVIF", "EXIF thumbnail", Fate.THUMBNAIL),
    Carrier("AVIF", "XMP", Fate.UNLESS_IT_SHOWS),
    Carrier("AVIF", "other item", Fate.LEFT_OUT),
    Carrier("AVIF", "other box", Fate.LEFT_OUT),
    Carrier("AVIF", "data that no item names", Fate.LEFT_OUT),
    Carrier("AVIF", "C2PA manifest store", Fate.LEFT_OUT),
    Carrier("JXL", "codestream", Fate.CHANGED),
    Carrier("JXL", "animation", Fate.REFUSED),
    Carrier("JXL", "preview", Fate.REFUSED),
    Carrier("JXL", "EXIF thumbnail", Fate.THUMBNAIL),
    Carrier("JXL", "XMP", Fate.UNLESS_IT_SHOWS),
    Carrier("JXL", "what restores a JPEG", Fate.LEFT_OUT),
    Carrier("JXL", "other box", Fate.LEFT_OUT),
    Carrier("JXL", "C2PA manifest store", Fate.LEFT_OUT),
)
"""Every carrier of pixels in the kinds that are released."""

LAYERS = MappingProxyType(
    {
        34732: "layers of an ImageLayer file",
        37724: "Photoshop's layers",
        50784: "layers of an Alias file",
        50828: "the raw file inside",
    }
)
"""TIFF tags that hold the picture once more, whatever their length."""


def left_out(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Return the note on carriers that do not leave; none without any."""
    listed = ", ".join(dict.fromkeys(names))
    return (f"left out, for it may show what is not released: {listed}",) if names else ()


def no_place(names: list[str] | tuple[str, ...], kind: str) -> tuple[str, ...]:
    """Return the note on what a written file of a kind cannot hold; none without any."""
    listed = ", ".join(dict.fromkeys(names))
    return (f"left out, for a written {kind} has no place for it: {listed}",) if names else ()
