"""Encoded rows, and why some are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.bench.encode.encoders import Encoder

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class EncodedRows:
    """Rows of many tasks, one after another, by every encoder.

    All encoders have the same rows: a picture that one of them could not be given, none has.
    """

    rows: dict[str, Array]  # by encoder name, (n, …)
    reasons: tuple[str | None, ...]  # why a row is missing; its values then mean nothing
    blank: npt.NDArray[np.bool_]  # pictures that show nothing, as the first descriptor sees them

    @property
    def made(self) -> npt.NDArray[np.bool_]:
        """For each row whether it exists."""
        return np.array([reason is None for reason in self.reasons], dtype=bool)


def concatenate_rows(parts: Sequence[EncodedRows], encoders: Sequence[Encoder]) -> EncodedRows:
    """Join parts one after another; no parts give no rows, of the encoders' shapes."""
    rows: dict[str, Array] = {}
    for encoder in encoders:
        if parts:
            rows[encoder.name] = np.concatenate([part.rows[encoder.name] for part in parts])
        elif encoder.descriptor:
            rows[encoder.name] = np.empty((0, encoder.dimension), np.float32)
        else:
            rows[encoder.name] = np.empty((0, encoder.dimension // 8), np.uint8)
    blank = np.concatenate([part.blank for part in parts] or [np.empty(0, bool)])
    return EncodedRows(rows, tuple(reason for part in parts for reason in part.reasons), blank)
