"""Colours of the generated pictures: small harmonious palettes and gradients through them."""

import colorsys
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour: TypeAlias = tuple[int, int, int]
Painter: TypeAlias = Callable[[np.random.Generator, tuple[int, int]], Image.Image]

# Each line runs from dark to light, so that gradients through it read as light falling on a form.
_PALETTES = (
    "0b132b 1c2541 3a506b 5bc0be e8f7f2",
    "2d1e2f a4243b d8973c d8c99b f6f0e0",
    "132a13 31572c 4f772d 90a955 ecf39e",
    "03071e 6a040f d00000 f48c06 ffe08a",
    "231942 5e548e 9f86c0 be95c4 f3e3ef",
    "001219 005f73 0a9396 94d2bd e9d8a6",
    "3d2c2e 7a4e48 c06c4e e8a87c fbe8d3",
    "1a1423 3d314a 684756 96705b f0d9b5",
    "14213d 2b4c7e 567ebb 9fb9d6 f5f7fa",
    "0d0d0d 3b3b3b 7a7a7a bdbdbd f4f4f4",
    "2b061e 875053 c98986 f4cbc6 fff5ee",
    "04151f 183a37 c44900 efd6ac fbf3e4",
    "10002b 5a189a c77dff 64dfdf f1fff8",
    "283618 606c38 bc6c25 dda15e fefae0",
    "22223b 4a4e69 9a8c98 c9ada7 f2e9e4",
    "0a2239 176087 53a2be f2a65a fff1d0",
)


def palette(generator: np.random.Generator) -> list[Colour]:
    """Draw a palette of five colours, from dark to light, and vary its hues and strength."""
    line = _PALETTES[int(generator.integers(len(_PALETTES)))].split()
    turn = float(generator.uniform()) if generator.uniform() < 0.5 else 0.0
    strength = float(generator.uniform(0.75, 1.15))
    light = float(generator.uniform(0.85, 1.05))
    colours = []
    for code in line:
        h, s, v = colorsys.rgb_to_hsv(*(channel / 255 for channel in bytes.fromhex(code)))
        rgb = colorsys.hsv_to_rgb((h + turn) % 1, min(1, s * strength), min(1, v * light))
        colours.append((round(255 * rgb[0]), round(255 * rgb[1]), round(255 * rgb[2])))
    return colours


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; `share` of the second, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def dark_first(generator: np.random.Generator, colours: list[Colour]) -> list[Colour]:
    """Return the colours from dark to light or, one time in three, from light to dark."""
    return colours if generator.uniform() < 2 / 3 else colours[::-1]


def colourise(field: NDArray[np.float32], colours: list[Colour]) -> Image.Image:
    """Colour a (height, width) field: 0 gets the first colour, 1 the last."""
    places = np.linspace(0, 255, len(colours))
    table = np.stack(
        [np.interp(np.arange(256), places, channel) for channel in np.array(colours).T], axis=1
    ).astype(np.uint8)
    levels = (field * 255).clip(0, 255).astype(np.uint8)
    return Image.fromarray(table[levels])


def gradient(size: tuple[int, int], colours: list[Colour]) -> Image.Image:
    """Paint a gradient from the upper edge to the lower."""
    column = colourise(np.linspace(0, 1, size[1], dtype=np.float32)[:, None], colours)
    return column.resize(size, Image.Resampling.NEAREST)
