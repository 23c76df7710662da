"""Photoshop's image resources, as JPEG (APP13) and TIFF (tag 34377) hold them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from homing.images.formats.blocks.carriers import THUMBNAIL
from homing.images.formats.blocks.look import Look, blanked

IPTC = 1028
THUMBNAILS = (1033, 1036)
_MARKS = (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR")


@dataclass(frozen=True)
class Resource:
    """An image resource."""

    number: int
    content: bytes
    coded: bytes  # with its head and padding


def read_resources(block: bytes) -> tuple[tuple[Resource, ...], bytes]:
    """Return the resources of a block, and what follows them and is none."""
    found = []
    at = 0
    while block[at : at + 4] in _MARKS and at + 12 <= len(block):
        name = 1 + block[at + 6]
        start = at + 6 + name + name % 2
        length = int.from_bytes(block[start : start + 4], "big")
        end = start + 4 + length
        if end > len(block):
            break
        number = int.from_bytes(block[at + 4 : at + 6], "big")
        after = min(end + length % 2, len(block))
        found.append(Resource(number, block[start + 4 : end], block[at:after]))
        at = after
    return tuple(found), block[at:]


def write_resource(number: int, content: bytes) -> bytes:
    """Return a resource with an empty name."""
    head = b"8BIM" + number.to_bytes(2, "big") + b"\0\0" + len(content).to_bytes(4, "big")
    return head + content + b"\0" * (len(content) % 2)


def clean_resources(block: bytes, look: Look) -> tuple[bytes, list[str]]:
    """Return resources without pictures above thumbnail size, and the names of these."""
    resources, rest = read_resources(block)
    names: list[str] = []
    kept = b"".join(_cleaned(resources, look, names))
    spans = look.unreleased(rest)
    names += ["a picture among Photoshop's resources"] * bool(spans)
    return kept + blanked(rest, spans), names


def _cleaned(resources: Iterable[Resource], look: Look, names: list[str]) -> Iterator[bytes]:
    for each in resources:
        width, height = each.content[4:8], each.content[8:12]
        larger = max(int.from_bytes(width, "big"), int.from_bytes(height, "big")) > THUMBNAIL
        if each.number in THUMBNAILS and larger:
            names.append("the thumbnail among Photoshop's resources")
        elif look.unreleased(each.content):
            names.append(f"Photoshop's resource {each.number}")
        else:
            yield each.coded
