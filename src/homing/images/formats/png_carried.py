"""Ancillary chunks of a PNG that a written file carries on, and those that may not leave."""

import binascii

from homing.images.formats.blocks.carriers import MOST_OPAQUE
from homing.images.formats.blocks.exif import clean_exif
from homing.images.formats.blocks.look import Look, blanked
from homing.images.formats.blocks.xmp import clean_xmp
from homing.images.formats.png import CARRIED, OF_LAYOUT, XMP, PngHeader, text_of

CREDENTIALS = b"caBX"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_RAW = b"Raw profile type "
_SAFE = 32  # bit of the last letter of chunks that editors may copy


def clean_chunk(
    name: bytes, content: bytes, header: PngHeader, look: Look
) -> tuple[bytes | None, list[str]]:
    """Return the new content of a chunk, None if it is left out, and names of what is."""
    shown = name.decode("ascii", "replace")
    if name == CREDENTIALS:  # of which another note tells
        return None, []
    if name == b"eXIf":
        return clean_exif(content, look)
    if name in _TEXTS:
        return _clean_text(name, content, look)
    if name in CARRIED or name in OF_LAYOUT:
        if name in OF_LAYOUT and header.expanded:
            return None, [f"chunk {shown}, which told of samples stored otherwise"]
        return content, []
    if not name[3] & _SAFE:
        return None, [f"chunk {shown} ({len(content):,} bytes, not safe to copy)"]
    if len(content) > MOST_OPAQUE:
        return None, [f"chunk {shown} ({len(content):,} bytes)"]
    spans = look.unreleased(content)
    return blanked(content, spans), [f"a preview in chunk {shown}"] * bool(spans)


def _clean_text(name: bytes, content: bytes, look: Look) -> tuple[bytes | None, list[str]]:
    text = text_of(name, content)
    keyword = content.partition(b"\0")[0].decode("latin-1")
    gone = [f"text {keyword!r}"]
    if text is None:
        return None, gone
    if content.startswith(_RAW):
        return (None, gone) if look.unreleased(_raw_profile(text)) else (content, [])
    cleaned, found = clean_xmp(text, look)
    if not found:
        return content, []
    if content.startswith(XMP):
        return XMP + bytes(4) + cleaned, found
    return None, gone


def _raw_profile(text: bytes) -> bytes:
    """Return the bytes of a profile in hexadecimal: a line with its name, one with its length."""
    try:
        return binascii.unhexlify(b"".join(text.split()[2:]))
    except (binascii.Error, ValueError):
        return b""
