"""JPEGs of every structure: frames and scans without data, to be filled with coefficients."""

import numpy as np

from homing.images.formats.jpeg import parse_jpeg
from homing.images.formats.jpeg_coefficients import (
    Coefficients,
    Colour,
    Component,
    write_coefficients,
)
from homing.images.formats.jpeg_structure import read_structure
from homing.images.limits import UNLIMITED

Samplings = tuple[tuple[int, int], ...]

#: libjpeg's progressive script for three components: components, first, last, high, low.
PROGRESSIVE = (
    ((0, 1, 2), 0, 0, 0, 1),
    ((0,), 1, 5, 0, 2),
    ((2,), 1, 63, 0, 1),
    ((1,), 1, 63, 0, 1),
    ((0,), 6, 63, 0, 2),
    ((0,), 1, 63, 2, 1),
    ((0, 1, 2), 0, 0, 1, 0),
    ((2,), 1, 63, 1, 0),
    ((1,), 1, 63, 1, 0),
    ((0,), 1, 63, 1, 0),
)


def segment(marker: int, payload: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(payload) + 2).to_bytes(2, "big") + payload


def frame(
    size: tuple[int, int],
    samplings: Samplings,
    *,
    scans: tuple[tuple[tuple[int, ...], int, int, int, int], ...] | None = None,
    interval: int = 0,
    adobe: int | None = None,
    names: bytes = b"\1\2\3\4",
    marker: int | None = None,
) -> bytes:
    """Return a JPEG of (width, height) whose scans hold no data."""
    width, height = size
    count = len(samplings)
    table = bytes([0]) + bytes(range(2, 66)) + bytes([1]) + bytes(range(4, 68))
    rows = b"".join(
        bytes((names[at], h << 4 | v, min(at, 1))) for at, (h, v) in enumerate(samplings)
    )
    sof = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + bytes([count]) + rows
    kind = marker or (0xC2 if scans else 0xC0)
    out = b"\xff\xd8"
    if adobe is not None:
        out += segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))
    out += segment(0xDB, table) + segment(kind, sof)
    if interval:
        out += segment(0xDD, interval.to_bytes(2, "big"))
    for components, first, last, high, low in scans or ((tuple(range(count)), 0, 63, 0, 0),):
        chosen = b"".join(bytes((names[each], 0x11 * min(each, 1))) for each in components)
        payload = bytes([len(components)]) + chosen + bytes((first, last, high << 4 | low))
        out += segment(0xDA, payload)
    return out + b"\xff\xd9"


def filled(empty: bytes, colour: Colour, seed: int = 0) -> tuple[bytes, Coefficients]:
    """Return a JPEG filled with coefficients like a picture's, and these."""
    generator = np.random.default_rng(seed)
    structure = read_structure(empty)
    flat = np.zeros((structure.blocks, 64), np.int16)
    flat[:, 0] = generator.integers(-60, 60, len(flat))
    fade = 12 / (1 + np.add.outer(np.arange(8), np.arange(8)).ravel()) ** 1.5
    noise = generator.normal(size=flat.shape) * fade
    flat[:, 1:] = np.rint(noise[:, 1:])
    flat[generator.random(len(flat)) < 0.3, 1:] = 0
    header = parse_jpeg(empty, UNLIMITED)
    components, first = [], 0
    for place in structure.places:
        rows, columns = place.shape
        blocks = flat[first : first + rows * columns].reshape(rows, columns, 8, 8)
        table = np.ones((8, 8), np.int32)
        components.append(
            Component(place.identifier, place.horizontal, place.vertical, table, blocks)
        )
        first += rows * columns
    found = Coefficients(header.width, header.height, colour, tuple(components), flat)
    return write_coefficients(empty, found), found
