"""Shards: files with the rows of some tasks each, so that only missing rows are made.

A shard's name is a checksum of the encoder's fingerprint, of the shard's tasks (files with sizes
and times, recipes with their seeds) and of all code that makes rows. A shard that lacks a row is
not written: a file that could not be read may be readable next time.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.bench.cache import checksum, read_arrays, write_arrays
from homing.bench.encode.code_checksum import code_checksum
from homing.bench.encode.encoders import Encoder
from homing.bench.encode.rows import EncodedRows
from homing.bench.encode.variants import EncoderInput, Task, Variants
from homing.images import shows_nothing
from homing.options import Limits

_FORMAT = 4
_FULL = 128  # squares that go through a network at a time
# The code that makes rows, from the file to the vector.
_SOURCES = ("images", "edits", "descriptors", "bench/encode")
_PACKAGES = ("pillow", "augly", "imagehash", "pdqhash", "numpy", "torch")

Array = npt.NDArray[Any]


class Shard:
    """Some tasks, and the files in `folder` that hold their rows; threads of `pool` encode."""

    def __init__(
        self,
        tasks: tuple[Task, ...],
        encoders: Sequence[Encoder],
        folder: Path,
        limits: Limits,
        pool: Executor,
    ) -> None:
        self.tasks = tasks
        code = code_checksum(_SOURCES, _PACKAGES)
        content = [_FORMAT, code, limits.max_pixels, limits.max_bytes, *(t.key for t in tasks)]
        self.paths = {
            each.name: folder / f"{checksum([each.fingerprint, *content])}.safetensors"
            for each in encoders
        }
        self.missing = [each for each in encoders if not self.paths[each.name].is_file()]
        self._buffers = {encoder.name: _Buffer(encoder, pool) for encoder in self.missing}
        self._reasons: list[str | None] = []
        self._incomplete: dict[str, dict[str, Array]] = {}

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(len(task.recipes) for task in self.tasks)

    @property
    def inputs(self) -> tuple[EncoderInput, ...]:
        """Inputs of the encoders whose rows are missing."""
        return tuple(dict.fromkeys(encoder.input for encoder in self.missing))

    def add(self, variants: Variants) -> None:
        """Add the variants of some tasks, in the order of the tasks."""
        self._reasons += variants.reasons
        for encoder in self.missing:
            self._buffers[encoder.name].add(variants.arrays[encoder.input])

    def finish(self) -> None:
        """Write the rows; hold them in memory if some are missing."""
        rows = {name: buffer.result() for name, buffer in self._buffers.items()}
        if any(self._reasons):
            self._incomplete = rows
        else:
            for name, arrays in rows.items():
                write_arrays(self.paths[name], arrays)
        self._buffers.clear()

    def read(self) -> EncodedRows:
        """Read all encoders' rows; a cached shard lacks none."""
        found = {
            name: self._incomplete[name] if name in self._incomplete else read_arrays(path)
            for name, path in self.paths.items()
        }
        blank = [arrays["blank"] for arrays in found.values() if "blank" in arrays]
        return EncodedRows(
            {name: arrays["rows"] for name, arrays in found.items()},
            tuple(self._reasons or [None] * self.count),
            blank[0] if blank else np.zeros(self.count, dtype=bool),
        )


@dataclass
class _Buffer:
    """Collects squares until they fill a batch of the network, which a thread then describes."""

    encoder: Encoder
    pool: Executor
    waiting: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    done: list[Future[Array]] = field(default_factory=list)
    blank: list[Array] = field(default_factory=list)

    def add(self, rows: npt.NDArray[np.uint8]) -> None:
        self.waiting.append(rows)
        if sum(map(len, self.waiting)) >= _FULL:
            self._flush()

    def result(self) -> dict[str, Array]:
        """Return the encoded rows and, for a descriptor, which squares are blank."""
        self._flush()
        arrays = {"rows": np.concatenate([future.result() for future in self.done])}
        return arrays | ({"blank": np.concatenate(self.blank)} if self.blank else {})

    def _flush(self) -> None:
        if self.waiting:
            rows = np.concatenate(self.waiting)
            self.done.append(self.pool.submit(self.encoder.finish, rows))
            if self.encoder.descriptor:
                self.blank.append(shows_nothing(rows))
            self.waiting.clear()
