"""Where a picture's file holds its C2PA manifest store (Content Credentials)."""

from collections import defaultdict
from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from homing.errors import PictureError
from homing.images.formats.jpeg import parse_jpeg
from homing.images.formats.png import parse_png
from homing.images.formats.tiff import CREDENTIALS, parse_tiff
from homing.images.formats.webp import parse_webp
from homing.images.kinds import sniff
from homing.images.metadata import read_metadata
from homing.images.picture import Picture, read_picture
from homing.images.pixels import Pixels
from homing.options import Limits

_UNLIMITED = Limits(max_pixels=2**48, max_bytes=2**48)
_APP11 = 0xEB
_BOX = b"jumb"
_HEAD = 8  # of a box: its length and type, which every segment of a JPEG repeats


def manifest_store(data: bytes) -> bytes | None:
    """Return the C2PA manifest store that a file carries.

    Parameters
    ----------
    data : bytes
        A JPEG, PNG, WebP or TIFF.

    Returns
    -------
    bytes or None
        A JUMBF superbox (ISO 19566-5), as ``application/c2pa``; None if the file carries none.

    Raises
    ------
    PictureError
        The file is of another kind, or damaged.
    """
    kind = sniff(data)
    if kind not in _READERS:
        raise PictureError(
            f"a {kind or 'file of unknown kind'} is not looked into for content credentials; "
            "give JPEG, PNG, WebP or TIFF"
        )
    return _READERS[kind](data)


def same_but_for_credentials(one: bytes, other: bytes) -> bool:
    """Whether two files show the same picture and say the same, C2PA manifests left aside.

    Parameters
    ----------
    one, other : bytes
        Files as :func:`homing.images.encode` returns them, perhaps with a manifest added.
    """
    a, b = (read_picture(data, limits=_UNLIMITED) for data in (one, other))
    return (
        a.kind == b.kind
        and a.orientation == b.orientation
        and np.array_equal(a.pixels, b.pixels)
        and np.array_equal(_alpha(a), _alpha(b))
        and read_metadata(a.kind, one) == read_metadata(b.kind, other)
    )


def _alpha(picture: Picture) -> Pixels:
    return np.empty((0, 0), np.uint8) if picture.alpha is None else picture.alpha


def _from_jpeg(data: bytes) -> bytes | None:
    """Join the segments of the first box that is a manifest store (ISO 19566-5, annex D)."""
    boxes: dict[bytes, list[tuple[int, bytes]]] = defaultdict(list)
    for payload in parse_jpeg(data, _UNLIMITED).payloads(_APP11, b"JP"):
        instance, number, part = payload[:2], int.from_bytes(payload[2:6], "big"), payload[6:]
        if part[4:_HEAD] == _BOX:
            boxes[instance].append((number, part))
    for parts in boxes.values():
        first, *rest = (part for _, part in sorted(parts))
        store = b"".join((first, *(part[_HEAD:] for part in rest)))
        if store[16:20] == b"c2pa":  # the type in the box's own description
            return store
    return None


def _from_png(data: bytes) -> bytes | None:
    header = parse_png(data, _UNLIMITED)
    return dict(header.before + header.after).get(b"caBX")


def _from_webp(data: bytes) -> bytes | None:
    return parse_webp(data, _UNLIMITED).credentials


def _from_tiff(data: bytes) -> bytes | None:
    entry = parse_tiff(data, _UNLIMITED, first_page=True).directory.entries.get(CREDENTIALS)
    return entry.data if entry else None


_READERS: MappingProxyType[str, Callable[[bytes], bytes | None]] = MappingProxyType(
    {"JPEG": _from_jpeg, "PNG": _from_png, "WEBP": _from_webp, "TIFF": _from_tiff}
)
