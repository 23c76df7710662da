"""Background pictures for the demonstration, made from a generator and from nothing else.

An index of one's own few pictures proves little: a search is hard among many others. Where no
other photographs are at hand, these stand in: fourteen families of pictures (clouds, mosaics,
landscapes, charts, pages of text…), with colours, composition and detail drawn at random. They
are easier to tell from photographs than photographs are, which the demonstration says.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image

from homing.demo import _documents, _fields, _scenes
from homing.demo._colours import Painter
from homing.errors import UsageError

_LEAST = 16  # pixels; no composition is left in less

FAMILIES: Mapping[str, Painter] = MappingProxyType(
    {
        "clouds": _fields.clouds,
        "marble": _fields.marble,
        "mosaic": _fields.mosaic,
        "julia": _fields.julia,
        "rings": _fields.rings,
        "plaid": _fields.plaid,
        "lights": _fields.lights,
        "landscape": _scenes.landscape,
        "skyline": _scenes.skyline,
        "shapes": _scenes.shapes,
        "tiles": _scenes.tiles,
        "strokes": _scenes.strokes,
        "chart": _documents.chart,
        "page": _documents.page,
    }
)
"""The families of pictures by name; each maps a generator and a size to a picture."""


def generated_picture(
    generator: np.random.Generator, size: tuple[int, int] = (320, 240)
) -> Image.Image:
    """Draw one background picture.

    Parameters
    ----------
    generator : numpy.random.Generator
        Chooses the family and everything in the picture: the same state gives the same pixels.
    size : tuple of int
        Width and height in pixels, each 16 or more.

    Returns
    -------
    PIL.Image.Image
        8-bit RGB, of that size.

    Raises
    ------
    UsageError
        For a size below 16 pixels in either direction.
    """
    if min(size) < _LEAST:
        raise UsageError(
            f"a generated picture is at least {_LEAST}x{_LEAST} pixels, not {size[0]}x{size[1]}"
        )
    painters = tuple(FAMILIES.values())
    return painters[int(generator.integers(len(painters)))](generator, size)
