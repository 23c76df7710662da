"""Views of a query: a copy may be turned, mirrored, framed, or have much around it.

A descriptor forgives none of these. The query is therefore turned, cut out of its frame, and seen
in part, and the view that an entry resembles most counts. Each further view costs one more pass of
the descriptor, and one more chance of a false alarm, which the verdict takes into account.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.images import (
    Source,
    as_rgb,
    read_bytes,
    read_for_description,
    read_rgb,
    shows_nothing,
    squash,
)
from homing.options import DEFAULT_LIMITS, UPRIGHT, Limits, check_views
from homing.search.frames.borders import without_frame

_PARTS = {  # left, top, right and bottom, as shares
    "centre": (0.15, 0.15, 0.85, 0.85),
    "upper half": (0.0, 0.0, 1.0, 0.5),
    "lower half": (0.0, 0.5, 1.0, 1.0),
    "left half": (0.0, 0.0, 0.5, 1.0),
    "right half": (0.5, 0.0, 1.0, 1.0),
}
_SPARE = 4  # a picture to be cut is read at this many times the descriptor's side

Squares = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class View:
    """View of a query: its name, and its pixels squashed for the descriptor, (S, S, 3).

    The name says what was done to the query: "upright" (nothing), or some of "border cut", "inner
    crop (centre)", "mirrored", "turned 90°" (counter-clockwise), in that order, with commas.
    """

    name: str
    pixels: Squares
    notes: tuple[str, ...] = ()  # what was wrong with the file, on the upright view


def query_views(
    picture: Source | Image.Image, size: int, views: str, *, limits: Limits = DEFAULT_LIMITS
) -> list[View]:
    """Return the views of a picture, the upright one first, `size` pixels a side.

    `views` is one of :data:`homing.options.VIEWS`: 1 view, 8, or 13 (21 of a framed picture). Views
    that show nothing are left out, so that a blank picture has none.
    """
    check_views(views)
    notes: tuple[str, ...] = ()
    if isinstance(picture, Image.Image):
        whole = squash(picture, size)
    else:
        picture = read_bytes(picture, limits=limits)
        read = read_for_description(picture, size, limits=limits)
        whole, notes = read.pixels, read.notes
    if shows_nothing(whole):
        return []
    upright = View(UPRIGHT, whole, notes)
    if views == UPRIGHT:
        return [upright]
    found = [upright, *itertools.islice(_postures("", whole), 1, None)]
    if views == "all":
        if isinstance(picture, Image.Image):
            image = as_rgb(picture)
        else:  # of a JPEG not much more is decoded than needed
            image = read_rgb(picture, limits=limits, least=_SPARE * size)
        parts = _inner_views(image, size)
        found += [part for part in parts if not shows_nothing(part.pixels)]
    return found


def _postures(done: str, pixels: Squares) -> Iterator[View]:
    """Yield four quarter turns of a square, and of its mirror image.

    To squash and then to turn is the same as the other way round.
    """
    for mirrored in (False, True):
        seen = pixels[:, ::-1] if mirrored else pixels
        for turns in range(4):
            words = [done, "mirrored" * mirrored, f"turned {90 * turns}°" if turns else ""]
            name = ", ".join(word for word in words if word) or UPRIGHT
            yield View(name, np.rot90(seen, turns))


def _inner_views(image: Image.Image, size: int) -> Iterator[View]:
    """Yield the content of a frame in eight postures, and parts of it."""
    inner = without_frame(image)
    done = ""
    if inner is not None:
        image, done = inner, "border cut"
        yield from _postures(done, squash(image, size))
    for part, (left, top, right, bottom) in _PARTS.items():
        box = (left * image.width, top * image.height, right * image.width, bottom * image.height)
        name = ", ".join(filter(None, (done, f"inner crop ({part})")))
        # An array of whole pixels would be off by one on small pictures: resampled from the box.
        pixels = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box))
        yield View(name, pixels)
