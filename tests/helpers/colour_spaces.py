"""Pictures in other spaces than sRGB: made from sRGB, told by a file, shown again.

Matrices are the published ones, not computed as the code under test does.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import imagecodecs
import numpy as np

from tests.helpers.picture_files import chunk


@dataclass(frozen=True)
class Space:
    """A colour space: its light, its mix of primaries, and what tells it."""

    name: str
    light: Callable[[np.ndarray], np.ndarray]  # of levels, 0..1
    levels: Callable[[np.ndarray], np.ndarray]  # of light
    matrix: np.ndarray  # from its linear light to that of sRGB
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # of a PNG
    icc: bytes | None = None

    def stored(self, srgb: np.ndarray, white: int) -> np.ndarray:
        """Return sRGB levels, 0..1, as samples of this space, in 0..white."""
        light = srgb_light(srgb) @ np.linalg.inv(self.matrix).T
        levels = self.levels(light.clip(0, 1)).clip(0, 1)
        return np.rint(levels * white).astype(np.uint8 if white == 255 else np.uint16)

    def shown(self, stored: np.ndarray, white: int) -> np.ndarray:
        """Return samples as sRGB levels, 0..1."""
        light = self.light(stored / white) @ self.matrix.T
        return srgb_levels(light.clip(0, 1))

    def png(self, stored: np.ndarray) -> bytes:
        """Return a PNG that tells the space."""
        chunks = self.chunks
        if self.icc is not None:
            chunks = (*chunks, (b"iCCP", b"p\0\0" + imagecodecs.zlib_encode(self.icc)))
        return with_chunks(bytes(imagecodecs.png_encode(stored)), *chunks)


def with_chunks(png: bytes, *added: tuple[bytes, bytes]) -> bytes:
    """Put chunks behind a PNG's header."""
    return png[:33] + b"".join(chunk(*each) for each in added) + png[33:]


def srgb_light(levels: np.ndarray) -> np.ndarray:
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def srgb_levels(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _pq_light(levels: np.ndarray) -> np.ndarray:
    root = levels ** (32 / 2523)
    found = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return found ** (16384 / 2610) * 10000 / 203


def _pq_levels(light: np.ndarray) -> np.ndarray:
    power = (light * 203 / 10000) ** (2610 / 16384)
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** (2523 / 32)


def profile(space: bytes, curve: bytes, *colorants: tuple[float, float, float]) -> bytes:
    """Return an ICC profile of a screen: its tone curve, and its primaries under D50."""

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65536 * each) for each in values))

    white = (0.9642, 1.0, 0.8249)
    tags = {b"wtpt": xyz(white)}
    if space == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
        tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, colorants), strict=True))
    return _packed(b"mntr", space, b"XYZ ", tags)


def _packed(kind: bytes, space: bytes, between: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = tags | {
        b"desc": b"desc\0\0\0\0\0\0\0\2p\0" + b"\0" * 78,
        b"cprt": b"text\0\0\0\0p\0\0\0",
    }
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += b"\0" * (-len(content) % 4)
        table += name + struct.pack(">2I", at + len(body), len(content))
        body += content
    head = struct.pack(">I", at + len(body)) + b"\0\0\0\0\2\x40\0\0" + kind + space + between
    light = struct.pack(">3i", *(round(65536 * each) for each in (0.9642, 1.0, 0.8249)))
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + light + b"\0" * 48
    return head + struct.pack(">I", len(tags)) + table + body


def ink_profile() -> bytes:
    """Return an ICC profile of four inks that look dull."""
    ramp = bytes(range(256))
    corners = b""
    for place in range(16):
        cyan, magenta, yellow, black = (
            (place >> 3) & 1,
            (place >> 2) & 1,
            (place >> 1) & 1,
            place & 1,
        )
        light = 20 if black else 255 - 50 * (cyan + magenta) - 15 * yellow
        a, b = 128 - 30 * cyan + 50 * magenta, 128 - 40 * cyan + 60 * yellow
        corners += bytes((light, 128, 128) if black else (light, a, b))
    matrix = struct.pack(">9i", *(65536 * (each % 4 == 0) for each in range(9)))
    table = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + matrix + ramp * 4 + corners + ramp * 3
    return _packed(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def gamma_curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H2x", round(gamma * 256))


_SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + struct.pack(
    ">5i", *(round(65536 * each) for each in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)
_TO_SRGB = {
    "2020": [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    "P3": [[1.2249, -0.2249, 0.0], [-0.0421, 1.0421, 0.0], [-0.0196, -0.0786, 1.0983]],
    "Adobe": [[1.3984, -0.3984, 0.0], [0.0, 1.0, 0.0], [0.0, -0.0429, 1.0429]],
    "Pro": [
        [2.0344, -0.7274, -0.3070],
        [-0.2288, 1.2317, -0.0029],
        [-0.0086, -0.1533, 1.1618],
    ],
}


def _power(gamma: float) -> tuple[Callable[[np.ndarray], np.ndarray], ...]:
    return lambda levels: levels**gamma, lambda light: light ** (1 / gamma)


def _chunk(name: bytes, *values: int) -> tuple[bytes, bytes]:
    return name, bytes(values) if name == b"cICP" else struct.pack(f">{len(values)}I", *values)


_CHRM_P3 = _chunk(b"cHRM", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
_ADOBE = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
_PROPHOTO = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))
_SRGB = srgb_light, srgb_levels

SPACES = {
    space.name: space
    for space in (
        Space("linear", *_power(1.0), np.eye(3), (_chunk(b"gAMA", 100000),)),
        Space("gamma 1.8", *_power(1.8), np.eye(3), (_chunk(b"gAMA", 55556),)),
        Space("P3 chunks", *_SRGB, np.array(_TO_SRGB["P3"]), (_chunk(b"gAMA", 45455), _CHRM_P3)),
        Space("P3 cICP", *_SRGB, np.array(_TO_SRGB["P3"]), (_chunk(b"cICP", 12, 13, 0, 1),)),
        Space(
            "PQ", _pq_light, _pq_levels, np.array(_TO_SRGB["2020"]), (_chunk(b"cICP", 9, 16, 0, 1),)
        ),
        Space(
            "Display P3", *_SRGB, np.array(_TO_SRGB["P3"]), icc=profile(b"RGB ", _SRGB_CURVE, *_P3)
        ),
        Space(
            "Adobe RGB",
            *_power(2.2),
            np.array(_TO_SRGB["Adobe"]),
            icc=profile(b"RGB ", gamma_curve(2.2), *_ADOBE),
        ),
        Space(
            "ProPhoto",
            *_power(1.8),
            np.array(_TO_SRGB["Pro"]),
            icc=profile(b"RGB ", gamma_curve(1.8), *_PROPHOTO),
        ),
        Space(
            "linear ProPhoto",
            *_power(1.0),
            np.array(_TO_SRGB["Pro"]),
            icc=profile(b"RGB ", gamma_curve(1.0), *_PROPHOTO),
        ),
    )
}
"""By name."""
