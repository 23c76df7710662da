"""The fourteen edits of "Active Image Indexing", and the strengths that its figures sweep.

Fernandez, Douze, Jégou, Furon, ICLR 2023. All but *random* are deterministic. They act on the 8-bit
RGB picture, before a descriptor's own resize.
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


def _apply_fixed(
    function: Callable[..., Image.Image],
    strength: tuple[Any, ...],
    image: Image.Image,
    _generator: np.random.Generator,
) -> Image.Image:
    return function(image, *strength)


def _deterministic(name: str, function: Callable[..., Image.Image], *strength: float) -> Edit:
    return make_edit(name, partial(_apply_fixed, function, strength))


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
    "screenshot", partial(_apply_fixed, screenshot, ("mobile.png",)), in_mean=False
)
"""The picture on the screen of a phone; shown in the paper, not in its mean. Needs AugLy."""


def paper_edits(*, with_random: bool = True) -> tuple[Edit, ...]:
    """Return the edits of the paper's mean, in its order; without *random*, the other thirteen.

    With *random*, but without AugLy, it raises `UsageError`: a mean over thirteen edits is another
    figure and is not given silently.
    """
    if not with_random:
        return tuple(edit for edit in PAPER if not edit.random)
    require_augly()
    return PAPER


_Strengths = tuple[tuple[float, Edit], ...]


def _sweep(kind: str, strengths: list[float]) -> _Strengths:
    function = getattr(operations, kind)
    return tuple(
        (strength, _deterministic(f"{kind} {strength:g}", function, strength))
        for strength in strengths
    )


def sweep_edits() -> Mapping[str, _Strengths]:
    """Return the edits of the paper's figures, by kind: rising strengths, each with its edit.

    Strengths are degrees of rotation, shares of the area of crop and resize, taps of blur, JPEG
    qualities, factors of contrast and brightness, and turns of the hue circle.
    """
    tenths = [step / 10 for step in range(1, 11)]
    factors = [step / 10 for step in range(5, 20)]
    return MappingProxyType(
        {
            "rotation": _sweep("rotation", list(range(-90, 91, 10))),
            "crop": _sweep("crop", tenths),
            "resize": _sweep("resize", tenths),
            "blur": _sweep("blur", list(range(1, 30, 2))),
            "jpeg": _sweep("jpeg", list(range(10, 101, 10))),
            "contrast": _sweep("contrast", factors),
            "brightness": _sweep("brightness", factors),
            "hue": _sweep("hue", [step / 10 for step in range(-5, 6)]),
        }
    )
