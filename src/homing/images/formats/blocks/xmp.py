"""XMP packets: the pictures they hold, what they say of other data, parts joined and added."""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from homing.images.formats.blocks.look import Look

_ENCODED = re.compile(
    rb"(?:/9j/|iVBORw0KGgo|UklGR|SUkqA|TU0AK)(?:[A-Za-z0-9+/=\s]|&#x?[0-9A-Fa-f]{1,2};)*"
)
_ENTITY = re.compile(rb"&#x?[0-9A-Fa-f]{1,2};|\s+")
_SHORT = 1024  # characters, in which no picture above thumbnail size is

_RDF = re.compile(rb"<(\w+):RDF\b([^>]*)>(.*)</\1:RDF\s*>", re.DOTALL)
_DECLARED = re.compile(rb"""\sxmlns:(\w[\w.-]*)\s*=\s*(?:"[^"]*"|'[^']*')""")
_EXTENDED = rb"xmpNote:HasExtendedXMP"
_BEHIND = (rb"(?:GCamera|Camera):(?:MotionPhoto|MicroVideo)\w*", rb"hdrgm:\w+")
_DIRECTORY = re.compile(rb"<(\w*Container):Directory\b.*?(?:/>|</\1:Directory\s*>)", re.DOTALL)
_PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">%s</rdf:RDF></x:xmpmeta>'
)


@dataclass(frozen=True)
class Property:
    """A property to be added to a packet."""

    name: str  # with its prefix
    namespace: str
    values: tuple[str, ...]
    sort: str  # "Alt", "Bag", "Seq", or "" for a simple value


def clean_xmp(packet: bytes, look: Look) -> tuple[bytes, list[str]]:
    """Return a packet without pictures above thumbnail size, and their name.

    They are in base64, and become blanks: the packet stays as long as it was.
    """
    spans = []
    for match in _ENCODED.finditer(packet):
        if len(match[0]) > _SHORT and look.unreleased(_decoded(match[0])):
            spans.append(match.span())
    out = bytearray(packet)
    for first, last in spans:
        out[first:last] = b" " * (last - first)
    return bytes(out), ["a picture in the XMP packet"] * bool(spans)


def _decoded(text: bytes) -> bytes:
    plain = _ENTITY.sub(b"", text).rstrip(b"=")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4))
    except binascii.Error:
        return b""


def without_behind(packet: bytes) -> bytes:
    """Return a packet that names no gain map, video or other item behind the picture."""
    return _without(_DIRECTORY.sub(b"", packet), *_BEHIND)


def without_extension(packet: bytes) -> bytes:
    """Return a packet that names no extension."""
    return _without(packet, _EXTENDED)


def joined(packet: bytes, extended: bytes) -> bytes | None:
    """Return a packet with its extension within; None if either has no RDF that could be joined."""
    own, further = _RDF.search(packet), _RDF.search(extended)
    if own is None or further is None or own[1] != further[1]:
        return None
    there = set(_DECLARED.findall(own[2]))
    declared = b"".join(
        match[0]
        for match in _DECLARED.finditer(extended[: further.start(3)])
        if match[1] not in there
    )
    head, body = packet[: own.end(2)], packet[own.start(3) - 1 : own.end(3)]
    return without_extension(head + declared + body + further[3] + packet[own.end(3) :])


def parted(packet: bytes) -> tuple[bytes, bytes, bytes]:
    """Return a packet that names an extension, the extension's GUID, and itself as extension."""
    guid = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    named = (
        b'<rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
        b'xmpNote:HasExtendedXMP="' + guid + b'"/>'
    )
    return _PACKET % named, guid, packet


def with_properties(packet: bytes | None, properties: Sequence[Property]) -> bytes | None:
    """Return a packet with the properties that it lacks; None if they cannot be added."""
    found = _RDF.search(packet) if packet is not None else None
    if packet is not None and found is None:
        return None
    new = [each for each in properties if each.name.encode() not in (packet or b"")]
    if not new:
        return packet
    prefix = found[1].decode() if found is not None else "rdf"
    spaces = {each.name.partition(":")[0]: each.namespace for each in new}
    declared = "".join(f' xmlns:{name}="{space}"' for name, space in spaces.items())
    inner = "".join(_element(each, prefix) for each in new)
    text = f'<{prefix}:Description {prefix}:about=""{declared}>{inner}</{prefix}:Description>'
    added = text.encode()
    if packet is None or found is None:
        return _PACKET % added
    return packet[: found.end(3)] + added + packet[found.end(3) :]


def _element(each: Property, prefix: str) -> str:
    values = [escape(_NO_XML.sub("", value)) for value in each.values]
    if not each.sort:
        return f"<{each.name}>{values[0]}</{each.name}>"
    language = ' xml:lang="x-default"' if each.sort == "Alt" else ""
    values = values[:1] if each.sort == "Alt" else values
    items = "".join(f"<{prefix}:li{language}>{value}</{prefix}:li>" for value in values)
    return f"<{each.name}><{prefix}:{each.sort}>{items}</{prefix}:{each.sort}></{each.name}>"


_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _without(packet: bytes, *names: bytes) -> bytes:
    """Return a packet without simple properties, attributes or elements, of some names."""
    for name in names:
        packet = re.sub(rb"""\s""" + name + rb"""\s*=\s*(?:"[^"]*"|'[^']*')""", b"", packet)
        packet = re.sub(rb"<(" + name + rb")(?:\s[^>]*)?(?:/>|>[^<]*</\1\s*>)", b"", packet)
    return packet
