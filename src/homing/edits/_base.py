"""Edit: a named function from a picture to an edited copy of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from PIL import Image

from homing.errors import HomingError, PictureError, UsageError

EditFunction: TypeAlias = Callable[[Image.Image, np.random.Generator], Image.Image]

# Pillow, NumPy and AugLy raise these on a picture too small (or too odd) for an edit. Anything else
# is a fault of the program and must show as one.
_FOREIGN = (ArithmeticError, AssertionError, IndexError, OSError, SystemError, ValueError)


@dataclass(frozen=True)
class Edit:
    """One edit that a copy of a picture may have gone through."""

    name: str  # unique in a suite, e.g. "crop 0.5"
    #: Maps an 8-bit RGB picture, and the generator of all randomness, to a new 8-bit RGB picture.
    #: Raises :class:`~homing.PictureError` if the picture cannot be edited; it never returns the
    #: unedited picture instead.
    apply: EditFunction
    random: bool = False  # whether it draws from the generator
    in_mean: bool = True  # whether the mean over the edits counts it


def make_edit(
    name: str, function: EditFunction, *, random: bool = False, in_mean: bool = True
) -> Edit:
    """Make an edit whose input, output and errors are checked.

    `function(image, generator)` stands at module level if the edit is to be pickled. `Edit.apply`
    then raises :class:`~homing.UsageError` for a picture that is not 8-bit RGB.
    """
    return Edit(name, partial(_apply_checked, name, function), random=random, in_mean=in_mean)


def _apply_checked(
    name: str, function: EditFunction, image: Image.Image, generator: np.random.Generator
) -> Image.Image:
    if image.mode != "RGB":
        raise UsageError(
            f"the edit {name!r} takes 8-bit RGB pictures, not mode {image.mode!r}: "
            'convert the picture first, with image.convert("RGB")'
        )
    try:
        edited = function(image, generator)
    except HomingError:
        raise
    except _FOREIGN as error:
        raise PictureError(
            f"the edit {name!r} cannot be made of a picture of "
            f"{image.width}x{image.height} pixels ({type(error).__name__}: {error}): "
            "use a larger picture or leave this edit out"
        ) from error
    if edited.mode != "RGB" or 0 in edited.size:
        raise PictureError(
            f"the edit {name!r} leaves nothing of a picture of {image.width}x{image.height} "
            "pixels: use a larger picture or leave this edit out"
        )
    return edited
