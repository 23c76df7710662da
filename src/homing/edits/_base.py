"""What an edit is: a named function from a picture to an edited copy of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from PIL import Image

from homing.errors import HomingError, PictureError, UsageError

EditFunction: TypeAlias = Callable[[Image.Image, np.random.Generator], Image.Image]

# What Pillow, NumPy and AugLy raise on a picture too small (or too odd) for an edit. Anything else
# is a fault of the program and must show as one.
_FOREIGN = (ArithmeticError, AssertionError, IndexError, OSError, SystemError, ValueError)


@dataclass(frozen=True)
class Edit:
    """One thing that a copy of a picture may have suffered.

    Attributes
    ----------
    name : str
        Unique among the edits of a suite, e.g. ``"crop 0.5"``.
    apply : callable
        ``apply(image, generator)``: an 8-bit RGB picture and the generator that all randomness
        comes from, to a new 8-bit RGB picture. Raises :class:`~homing.PictureError` where the
        edit cannot be made of this picture; it never returns the unedited picture instead.
    random : bool
        Whether the outcome depends on the generator. Others leave the generator untouched.
    in_mean : bool
        Whether the paper's mean over the edits counts this one.
    """

    name: str
    apply: EditFunction
    random: bool = False
    in_mean: bool = True


def make_edit(
    name: str, function: EditFunction, *, random: bool = False, in_mean: bool = True
) -> Edit:
    """Make an edit whose input, output and errors are checked.

    Parameters
    ----------
    name : str
        The edit's name.
    function : callable
        ``function(image, generator)``; of module level if the edit is to be pickled.
    random : bool
        Whether ``function`` draws from the generator.
    in_mean : bool
        Whether the mean over the edits counts it.

    Returns
    -------
    Edit
        Its ``apply`` raises :class:`~homing.UsageError` for a picture that is not 8-bit RGB, and
        :class:`~homing.PictureError` where the edit cannot be made.
    """
    return Edit(name, partial(_checked, name, function), random=random, in_mean=in_mean)


def _checked(
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
