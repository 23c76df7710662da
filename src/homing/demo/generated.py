"""Background pictures for the demonstration, drawn at random in fourteen families.

A search among a few pictures proves little, and other photographs may be missing. Generated
pictures are easier to tell from photographs than photographs are, which the demonstration says.
The recipe in ``training/`` adds them to its photographs: their draws must not change.
"""

import numpy as np
from PIL import Image

from homing.demo import _documents, _fields, _scenes
from homing.demo._colours import Painter
from homing.errors import UsageError

_LEAST = 16  # pixels; smaller pictures have no composition

_PAINTERS: tuple[Painter, ...] = (*_fields.PAINTERS, *_scenes.PAINTERS, *_documents.PAINTERS)
FAMILIES = {painter.__name__: painter for painter in _PAINTERS}
"""Families of pictures by name; each maps a generator and a size to a picture."""


def generated_picture(
    generator: np.random.Generator, size: tuple[int, int] = (320, 240)
) -> Image.Image:
    """Draw one background picture, 8-bit RGB; the same state of `generator` gives the same pixels.

    `size` is (width, height), each at least 16 pixels, or a `UsageError` is raised.
    """
    if min(size) < _LEAST:
        raise UsageError(
            f"a generated picture is at least {_LEAST}x{_LEAST} pixels, not {size[0]}x{size[1]}"
        )
    return _PAINTERS[int(generator.integers(len(_PAINTERS)))](generator, size)
