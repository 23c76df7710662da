"""The fourteen edits of "Active Image Indexing", and the strengths that its figures sweep.

All but *random* are deterministic. They act on the 8-bit RGB picture, before a descriptor's own
resize [1]_.

References
----------
.. [1] P. Fernandez, M. Douze, H. Jégou, T. Furon. "Active Image Indexing". ICLR 2023.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from homing.edits import operations
from homing.edits._augly import require_augly
from homing.edits._base import Edit, make_edit
from homing.edits._replacements import screenshot
from homing.edits.random_mix import random_mix


def _fixed(
    function: Callable[..., Image.Image],
    strength: tuple[Any, ...],
    image: Image.Image,
    _generator: np.random.Generator,
) -> Image.Image:
    return function(image, *strength)


def _deterministic(name: str, function: Callable[..., Image.Image], *strength: float) -> Edit:
    return make_edit(name, partial(_fixed, function, strength))


PAPER: tuple[Edit, ...] = (
    _deterministic("identity", operations.identity),
    _deterministic("contrast 0.5", operations.contrast, 0.5),
    _deterministic("contrast 2.0", operations.contrast, 2.0),
    _deterministic("brightness 0.5", operations.brightness, 0.5),
    _deterministic("brightness 2.0", operations.brightness, 2.0),
    _deterministic("hue 0.2", operations.hue, 0.2),
    _deterministic("blur 11", operations.blur, 11),
    _deterministic("jpeg 50", operations.jpeg, 50),
    _deterministic("rotation 25", operations.rotation, 25),
    _deterministic("rotation 90", operations.rotation, 90),
    _deterministic("crop 0.5", operations.crop, 0.5),
    _deterministic("resize 0.5", operations.resize, 0.5),
    _deterministic("meme", operations.meme),
    make_edit("random", random_mix, random=True),
)
"""The paper's fourteen edits, in its order; the last, *random*, needs AugLy."""

SCREENSHOT: Edit = make_edit(
    "screenshot", partial(_fixed, screenshot, ("mobile.png",)), in_mean=False
)
"""The picture on a telephone's screen; shown in the paper, not in its mean. Needs AugLy."""


def paper_edits(*, with_random: bool = True) -> tuple[Edit, ...]:
    """Give the edits that the paper's mean is taken over.

    Parameters
    ----------
    with_random : bool
        With the edit *random*, which needs AugLy (the extra ``bench``); otherwise the thirteen
        deterministic ones.

    Returns
    -------
    tuple of Edit
        In the order of :data:`PAPER`.

    Raises
    ------
    UsageError
        With *random*, where AugLy is not installed: a mean over thirteen edits is another figure
        and is not given silently.
    """
    if not with_random:
        return tuple(edit for edit in PAPER if not edit.random)
    require_augly()
    return PAPER


_Strengths = tuple[tuple[float, Edit], ...]


def _swept(kind: str, strengths: list[float]) -> _Strengths:
    function = getattr(operations, kind)
    return tuple(
        (strength, _deterministic(f"{kind} {strength:g}", function, strength))
        for strength in strengths
    )


def sweep_edits() -> Mapping[str, _Strengths]:
    """Give the edits of the paper's figures over strengths.

    Returns
    -------
    mapping of str to tuple of (float, Edit)
        For each kind of edit its strengths, rising, with the edit of that strength: rotation by
        degrees, crop and resize by share of the area, blur by taps, JPEG by quality, contrast and
        brightness by factor, hue by turns of the circle.
    """
    tenths = [step / 10 for step in range(1, 11)]
    factors = [step / 10 for step in range(5, 20)]
    return MappingProxyType(
        {
            "rotation": _swept("rotation", list(range(-90, 91, 10))),
            "crop": _swept("crop", tenths),
            "resize": _swept("resize", tenths),
            "blur": _swept("blur", list(range(1, 30, 2))),
            "jpeg": _swept("jpeg", list(range(10, 101, 10))),
            "contrast": _swept("contrast", factors),
            "brightness": _swept("brightness", factors),
            "hue": _swept("hue", [step / 10 for step in range(-5, 6)]),
        }
    )
