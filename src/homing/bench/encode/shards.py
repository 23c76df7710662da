"""Shards: rows in files, some tasks each, so that only what is missing is made.

A shard's name is a checksum of the encoder's fingerprint, of the shard's tasks (files with sizes
and times, recipes with their seeds) and of all code that makes rows. A shard that lacks a row is
not kept: a file that could not be read may be readable next time.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from homing.bench.encode.definitions import definitions
from homing.bench.encode.encoders import Encoder
from homing.bench.encode.rows import Encoded
from homing.bench.encode.variants import Made, Task, Want
from homing.images import shows_nothing
from homing.options import Limits

_FORMAT = 3
_FULL = 128  # squares that go through a network at a time
# Whose code makes rows, from the file to the vector.
_SOURCES = ("images", "edits", "descriptors", "bench/encode")
_PACKAGES = ("pillow", "augly", "imagehash", "pdqhash", "numpy", "torch")

Array = npt.NDArray[Any]


class Shard:
    """Some tasks, and the files that hold their rows.

    Parameters
    ----------
    tasks : tuple of Task
    encoders : sequence of Encoder
        Of different names.
    folder : Path
        Of the files.
    limits : Limits
        The most that is decoded of a picture's file.
    pool : Executor
        Threads that encode.
    """

    def __init__(
        self,
        tasks: tuple[Task, ...],
        encoders: Sequence[Encoder],
        folder: Path,
        limits: Limits,
        pool: Executor,
    ) -> None:
        self.tasks = tasks
        content = [_FORMAT, definitions(_SOURCES, _PACKAGES), limits.max_pixels, limits.max_bytes]
        shared = json.dumps([*content, *(task.key for task in tasks)])
        self.encoders = {encoder.name: encoder for encoder in encoders}
        self.paths = {
            encoder.name: folder / f"{_checksum(encoder.fingerprint + shared)}.safetensors"
            for encoder in encoders
        }
        self.missing = [e for e in encoders if not self.paths[e.name].is_file()]
        self._buffers = {encoder.name: _Buffer(encoder, pool) for encoder in self.missing}
        self._reasons: list[str | None] = []
        self._incomplete: dict[str, dict[str, Array]] = {}

    @property
    def count(self) -> int:
        """Of its rows."""
        return sum(len(task.recipes) for task in self.tasks)

    @property
    def wants(self) -> tuple[Want, ...]:
        """What the missing rows are made of."""
        return tuple(dict.fromkeys(encoder.want for encoder in self.missing))

    def take(self, made: Made) -> None:
        """Take in what was made of some tasks, in their order."""
        self._reasons += made.reasons
        for encoder in self.missing:
            self._buffers[encoder.name].take(made.arrays[encoder.want])

    def finish(self) -> None:
        """Write the rows; keep them here if some are lacking."""
        made = {name: buffer.result() for name, buffer in self._buffers.items()}
        if any(self._reasons):
            self._incomplete = made
        else:
            for name, arrays in made.items():
                _write(self.paths[name], arrays)
        self._buffers.clear()

    def read(self) -> Encoded:
        """All encoders' rows, and why there is none; what is cached lacks none."""
        from safetensors.numpy import load_file

        found = {
            name: self._incomplete[name] if name in self._incomplete else load_file(path)
            for name, path in self.paths.items()
        }
        blank = [arrays["blank"] for arrays in found.values() if "blank" in arrays]
        return Encoded(
            {name: arrays["rows"] for name, arrays in found.items()},
            tuple(self._reasons or [None] * self.count),
            blank[0] if blank else np.zeros(self.count, dtype=bool),
        )


@dataclass
class _Buffer:
    """Collects squares until there are enough for the network; threads then describe them."""

    encoder: Encoder
    pool: Executor
    waiting: list[npt.NDArray[np.uint8]] = field(default_factory=list)
    done: list[Future[Array]] = field(default_factory=list)
    blank: list[Array] = field(default_factory=list)

    def take(self, rows: npt.NDArray[np.uint8]) -> None:
        self.waiting.append(rows)
        if sum(map(len, self.waiting)) >= _FULL:
            self._flush()

    def result(self) -> dict[str, Array]:
        """What is kept of the rows: of a descriptor's also which of the squares are blank."""
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


def _write(path: Path, arrays: Mapping[str, Array]) -> None:
    from safetensors.numpy import save

    # Its own name until it is complete; two runs at once write the same content.
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(save({name: np.ascontiguousarray(rows) for name, rows in arrays.items()}))
    part.replace(path)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
