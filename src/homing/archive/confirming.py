"""Confirming hits by local features of the pictures themselves."""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from homing.archive.results import Hit
from homing.archive.sources import Finder
from homing.errors import PictureError
from homing.evidence import Suspect, compare
from homing.images import Limits, read_rgb

MOST_CONFIRMED = 5
"""Hits of a query that are looked at: each costs a picture read and compared."""


def confirmed(
    hits: Sequence[Hit], suspect: Image.Image, sources: Finder, limits: Limits
) -> tuple[Hit, ...]:
    """Look at the best hits' pictures: those that agree come first, those that do not come last.

    A hit whose details agree is a copy however unlike its descriptor is, and one whose details do
    not, though there are enough of them, is none. Where the record's picture is not at hand or
    has too little texture, the verdict stays as it was.
    """
    seen = Suspect(suspect)
    told = [_told(hit, seen, sources, limits) for hit in hits[:MOST_CONFIRMED]]
    order = {True: 0, None: 1, False: 2}
    return tuple(sorted([*told, *hits[MOST_CONFIRMED:]], key=lambda hit: order[hit.confirmed]))


def _told(hit: Hit, suspect: Suspect, sources: Finder, limits: Limits) -> Hit:
    place = sources.find(hit.id)
    if isinstance(place, str):
        return hit
    try:
        agreed = compare(read_rgb(place, limits=limits), suspect).confirmed
    except PictureError:
        return hit
    return hit if agreed is None else replace(hit, confirmed=agreed, is_copy=agreed)
