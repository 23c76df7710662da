"""Answers: what was found, with the verdict on it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homing.archive.calibrating import Calibration
from homing.archive.results import Hit
from homing.archive.searching import Asked, Looked, find
from homing.archive.snapshot import Found, Snapshot

__all__ = ["answered"]


def answered(
    snapshot: Snapshot,
    looked: Sequence[Looked],
    asked: Asked,
    calibration: Calibration | None,
) -> list[tuple[Hit, ...]]:
    """Hits of each query; with their false-alarm rates where the archive is calibrated."""
    if calibration is None:
        return [snapshot.hits(found) for found in find(snapshot, looked, asked)]

    def rates(found: Found) -> NDArray[np.float64]:
        return calibration.rates(found, asked.views, len(snapshot))

    def sure(found: Found) -> bool:
        return bool((rates(found) <= asked.rate).any())

    return [
        snapshot.hits(found, rates(found), rate=asked.rate)
        for found in find(snapshot, looked, asked, sure)
    ]
