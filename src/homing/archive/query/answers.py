"""Answers: what was found, with the verdict on it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.archive.query.calibration import Calibration
from homing.archive.query.originals import Finder
from homing.archive.query.search import DescribedQuery, find, full_picture
from homing.archive.query.snapshot import QueryHits, Snapshot
from homing.archive.results import Hit, Hits
from homing.errors import PictureError
from homing.evidence import Suspect, compare
from homing.images import read_rgb
from homing.options import Limits, SearchOptions
from homing.search import Deadline

if TYPE_CHECKING:
    from homing.archive.query.originals import Sources


def answered(
    snapshot: Snapshot,
    looked: Sequence[DescribedQuery],
    asked: SearchOptions,
    calibration: Calibration | None,
) -> list[Hits]:
    """Hits of each query; with their false-alarm rates where the archive is calibrated."""
    deadline = Deadline.after(asked.deadline)
    if calibration is None:
        everything = find(snapshot, looked, asked, deadline=deadline)
        return [snapshot.hits(found) for found in everything]

    def rates(found: QueryHits) -> NDArray[np.float64]:
        return calibration.rates(found, asked.views, len(snapshot))

    def sure(found: QueryHits) -> bool:
        return bool((rates(found) <= asked.rate).any())

    return [
        snapshot.hits(found, rates(found), rate=asked.rate, least=calibration.least)
        for found in find(snapshot, looked, asked, sure, deadline)
    ]


def confirmed_answers(
    answers: Sequence[Hits],
    looked: Sequence[DescribedQuery],
    asked: SearchOptions,
    sources: "Sources",
) -> list[Hits]:
    """Answers with their best hits compared with the queries by local features."""
    from homing.archive.query.answers import confirmed

    def told(hits: Hits, query: DescribedQuery) -> Hits:
        if not hits:
            return hits
        try:
            picture = full_picture(query, asked.limits)
        except PictureError:  # its file has changed since it was described
            return hits
        return Hits(confirmed(hits, picture, sources, asked.limits), hits.partial)

    return [told(hits, query) for hits, query in zip(answers, looked, strict=True)]


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
