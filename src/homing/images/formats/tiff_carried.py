"""Tags of a TIFF that a written file carries on, and those that may not leave."""

from dataclasses import replace

from homing.images.formats.blocks.carriers import LAYERS, MOST_OPAQUE
from homing.images.formats.blocks.exif import clean_exif
from homing.images.formats.blocks.look import Look, blanked
from homing.images.formats.blocks.photoshop import clean_resources
from homing.images.formats.blocks.xmp import clean_xmp
from homing.images.formats.tiff import ICC, STRUCTURAL, XMP
from homing.images.formats.tiff_tags import Directory, Entry

IPTC, PHOTOSHOP = 33723, 34377
_PREVIEW = (513, 514)
_PIXELS = frozenset({273, 279, 324, 325, 330, *_PREVIEW})  # places of pixels, and counts
_TEXT, _POINTER = 2, 13
_FIRST_PRIVATE = 32768
_STANDARD = frozenset(
    {IPTC, PHOTOSHOP, ICC, *range(33421, 33439), 33550, 33922, 34264, *range(34735, 34738)}
    | {*range(34850, 34870), *range(36864, 42300), *range(50706, 50744), *range(50778, 50782)}
)
"""Private tags whose content is known and no picture: EXIF, GeoTIFF, colour of raw files."""


def clean_directory(directory: Directory, look: Look) -> tuple[Directory, list[str]]:
    """Return a directory without what may show the unreleased original, and the names of that."""
    names: list[str] = []
    if _PREVIEW[0] in directory.entries and directory.number(259, 1) != 6:
        names.append("a JPEG preview (tag 513)")
    names += [f"tag {tag}, which cannot be read" for tag in directory.unread]
    entries = {}
    for tag, entry in directory.entries.items():
        reason = _reason(tag, entry)
        if reason:
            names.append(reason)
            continue
        content, found = (entry.data, []) if tag in STRUCTURAL else _cleaned(tag, entry, look)
        names += found
        if content:
            count = entry.count if len(content) == len(entry.data) else len(content)
            entries[tag] = replace(entry, count=count, data=content)
    beneath = {}
    for tag, inner in directory.beneath.items():
        own = {each: entry for each, entry in inner.entries.items() if each not in _PIXELS}
        names += [f"what tag {each} points at" for each in inner.entries.keys() - own.keys()]
        beneath[tag], found = clean_directory(replace(inner, entries=own), look)
        names += found
    return Directory(directory.order, entries, beneath, directory.following), names


def _reason(tag: int, entry: Entry) -> str:
    """Return the name of a tag that is left out; "" if it stays."""
    if tag in STRUCTURAL:
        return ""
    if tag in LAYERS:
        return f"{LAYERS[tag]} (tag {tag}, {len(entry.data):,} bytes)"
    if entry.type == _POINTER:
        return f"what tag {tag} points at"
    private = tag >= _FIRST_PRIVATE and tag not in _STANDARD and entry.type != _TEXT
    if private and len(entry.data) > MOST_OPAQUE:
        return f"private tag {tag} ({len(entry.data):,} bytes)"
    return ""


def _cleaned(tag: int, entry: Entry, look: Look) -> tuple[bytes, list[str]]:
    content = entry.data
    if tag == XMP:
        return clean_xmp(content, look)
    if tag == PHOTOSHOP:
        return clean_resources(content, look)
    if content[:4] in (b"II*\0", b"MM\0*"):  # an EXIF block, as a private tag
        return clean_exif(content, look)
    if entry.type == _TEXT:
        cleaned, found = clean_xmp(content, look)
        return cleaned, [f"a picture in tag {tag}"] * bool(found)
    spans = look.unreleased(content)
    return blanked(content, spans), [f"a preview in tag {tag}"] * bool(spans)
