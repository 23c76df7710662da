"""Answers: what was found, with the verdict on it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from homing.archive.asked import Asked
from homing.archive.calibration import Calibration
from homing.archive.results import Hits
from homing.archive.searching import Looked, find, full_picture
from homing.archive.snapshot import Found, Snapshot
from homing.errors import PictureError

if TYPE_CHECKING:
    from homing.archive.sources import Sources


def answered(
    snapshot: Snapshot,
    looked: Sequence[Looked],
    asked: Asked,
    calibration: Calibration | None,
) -> list[Hits]:
    """Hits of each query; with their false-alarm rates where the archive is calibrated."""
    patience = asked.patience()
    if calibration is None:
        everything = find(snapshot, looked, asked, patience=patience)
        return [snapshot.hits(found) for found in everything]

    def rates(found: Found) -> NDArray[np.float64]:
        return calibration.rates(found, asked.views, len(snapshot))

    def sure(found: Found) -> bool:
        return bool((rates(found) <= asked.rate).any())

    return [
        snapshot.hits(found, rates(found), rate=asked.rate, least=calibration.least)
        for found in find(snapshot, looked, asked, sure, patience)
    ]


def confirmed_answers(
    answers: Sequence[Hits], looked: Sequence[Looked], asked: Asked, sources: "Sources"
) -> list[Hits]:
    """Answers with their best hits compared with the queries by local features."""
    from homing.archive.confirming import confirmed

    def told(hits: Hits, query: Looked) -> Hits:
        if not hits:
            return hits
        try:
            picture = full_picture(query, asked.limits)
        except PictureError:  # its file has changed since it was described
            return hits
        return Hits(confirmed(hits, picture, sources, asked.limits), hits.partial)

    return [told(hits, query) for hits, query in zip(answers, looked, strict=True)]
