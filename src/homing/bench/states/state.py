"""A state of the photographs: untouched, or released by a method for a codebook.

A state has the entries of the photographs in the base, and their edited copies. All states are
measured on the same photographs, the same edits and the same draws.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homing.bench.dataset.material import Material
from homing.bench.encode.encoders import Encoder
from homing.bench.states.released import Release

PASSIVE = "passive"
"""Method of untouched photographs."""

UNTOUCHED = "untouched"
"""Its name in tables and plots."""

Vectors = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


def label_of(method: str) -> str:
    """Return the name of a method in tables and plots."""
    return UNTOUCHED if method == PASSIVE else method


@dataclass(frozen=True, eq=False)
class State:
    """Photographs in one state; photos that are not in it have their passive entries."""

    method: str  # of activation, or PASSIVE
    aimed_at: str | None  # name of the codebook that they were activated for
    entries: Vectors = field(repr=False)  # (photos, d), in the base
    present: Flags = field(repr=False)  # (photos,), in this state
    copies: Vectors = field(repr=False)  # (photos · rows, d), edited copies
    made: Flags = field(repr=False)  # (photos · rows,)
    reasons: tuple[str | None, ...] = field(repr=False)  # why a copy could not be made
    blank: Flags = field(repr=False)  # (photos · rows,), copies that show nothing
    files: tuple[Path | None, ...] = field(repr=False)  # that were edited
    release: Release | None = field(repr=False)


def passive_state(material: Material, encoder: Encoder) -> State:
    """Describe the untouched photographs by one encoder."""
    count = len(material.plan.photos)
    return State(
        PASSIVE,
        None,
        encoder.vectors(material.entries.rows[encoder.name][:count]),
        material.readable,
        encoder.vectors(material.copies.rows[encoder.name]),
        material.copies.made,
        material.copies.reasons,
        material.copies.blank,
        tuple(found.path for found in material.plan.photos),
        None,
    )
