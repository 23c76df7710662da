"""Rows that encoders made, and why some are lacking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.bench.encode.encoders import Encoder

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Encoded:
    """The rows of many tasks, one after another.

    Attributes
    ----------
    rows : dict
        For each encoder's name, (n, …) as it keeps them.
    reasons : tuple of (str or None)
        For each row why there is none; its values then mean nothing. All encoders have the same
        rows: what one of them could not be given, none has.
    blank : ndarray, bool
        For each row whether the picture shows nothing, so that there is nothing to go by; as the
        first of the descriptors sees it.
    """

    rows: dict[str, Array]
    reasons: tuple[str | None, ...]
    blank: npt.NDArray[np.bool_]

    @property
    def made(self) -> npt.NDArray[np.bool_]:
        """For each row whether it is there."""
        return np.array([reason is None for reason in self.reasons], dtype=bool)

    def followed_by(self, other: "Encoded") -> "Encoded":
        """These rows and, after them, another's of the same encoders."""
        rows = {name: np.concatenate([each, other.rows[name]]) for name, each in self.rows.items()}
        blank = np.concatenate([self.blank, other.blank])
        return Encoded(rows, self.reasons + other.reasons, blank)


def joined(parts: Sequence[Encoded], encoders: Sequence[Encoder]) -> Encoded:
    """Rows of several parts, one after another; of none, rows of the encoders' shapes."""
    rows: dict[str, Array] = {}
    for encoder in encoders:
        if parts:
            rows[encoder.name] = np.concatenate([part.rows[encoder.name] for part in parts])
        elif encoder.descriptor:
            rows[encoder.name] = np.empty((0, encoder.dimension), np.float32)
        else:
            rows[encoder.name] = np.empty((0, encoder.dimension // 8), np.uint8)
    blank = np.concatenate([part.blank for part in parts] or [np.empty(0, bool)])
    return Encoded(rows, tuple(reason for part in parts for reason in part.reasons), blank)
