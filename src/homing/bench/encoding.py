"""From tasks to vectors: processes edit while threads describe, all of it cached.

An encoder is a descriptor or a hash. Rows are cached in shards of some tasks each; a shard's name
is a checksum of the encoder's fingerprint, of the shard's tasks (files with sizes and times,
recipes with their seeds) and of all code that makes rows, so that a run that was interrupted, or
that has one more descriptor, makes only what is missing. A shard that lacks a row is not cached: a
file that could not be read may be readable next time.
"""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from homing.bench.definitions import definitions
from homing.bench.hashes import HASHES, hash_vectors
from homing.bench.variants import Made, Task, Want, make
from homing.bench.workers import Workers
from homing.images import DEFAULT_LIMITS, Limits, shows_nothing

if TYPE_CHECKING:  # it brings torch, which whoever made the descriptor has loaded already
    from homing.descriptors import Descriptor

__all__ = ["Encoded", "Encoder", "Progress", "descriptor_encoder", "encode", "hash_encoders"]

_FORMAT = 3  # of a shard
_SHARD = 64  # tasks
_MOST = 64  # variants that a process makes of a file before it hands them over
_FULL = 128  # squares that go through a network at a time
# Whose code makes rows, from the file to the vector.
_SOURCES = (
    "images", "edits", "descriptors", "bench/variants.py", "bench/hashes.py", "bench/encoding.py"
)  # fmt: skip
_PACKAGES = ("pillow", "augly", "imagehash", "pdqhash", "numpy", "torch")

Array = npt.NDArray[Any]


class Bar(Protocol):
    """A progress bar."""

    def by(self, count: int) -> None:
        """Move on."""


#: Opens a progress bar of a total and a description.
Progress = Callable[[int, str], AbstractContextManager[Bar]]


@dataclass(frozen=True, eq=False)
class Encoder:
    """What makes comparable rows of pictures: a descriptor or a hash.

    Attributes
    ----------
    name : str
        The column's in tables.
    fingerprint : str
        What it computes.
    want : Want
        What it takes from the worker processes.
    dimension : int
        Of its vectors; a hash's bits.
    finish : callable
        From the workers' uint8 rows to the rows that are kept.
    descriptor : bool
        Whether it is a descriptor, so that twins are sought among its neighbours.
    """

    name: str
    fingerprint: str
    want: Want
    dimension: int
    finish: Callable[[npt.NDArray[np.uint8]], Array]
    descriptor: bool = True

    def vectors(self, rows: Array) -> npt.NDArray[np.float32]:
        """Unit vectors, (n, dimension) float32, of rows as they are kept."""
        return rows if self.descriptor else hash_vectors(rows)


def descriptor_encoder(descriptor: "Descriptor", name: str | None = None) -> Encoder:
    """Make a descriptor an encoder.

    Parameters
    ----------
    descriptor : Descriptor
    name : str, optional
        The column's; the descriptor's own without it.
    """
    return Encoder(
        name or descriptor.name,
        descriptor.fingerprint,
        descriptor.input_size,
        descriptor.dimension,
        partial(descriptor.describe_squashed, pad=True),
    )


def hash_encoders() -> tuple[Encoder, ...]:
    """Return pHash, dHash and PDQ as encoders."""
    return tuple(
        Encoder(name, f"{name}-{bits}", name, bits, np.copy, descriptor=False)
        for name, bits in HASHES.items()
    )


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


def encode(
    tasks: Sequence[Task],
    encoders: Sequence[Encoder],
    workers: Workers,
    folder: Path,
    progress: Progress,
    title: str,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Encoded:
    """Make all variants of all tasks and encode them.

    Parameters
    ----------
    tasks : sequence of Task
    encoders : sequence of Encoder
        Of different names.
    workers : Workers
    folder : Path
        Of the shards; made if need be.
    progress : callable
        Opens a progress bar.
    title : str
        Of the bar.
    limits : Limits
        The most that is decoded of a file.

    Returns
    -------
    Encoded
        Rows in the order of the tasks and of their recipes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _threads(encoders) as pool:
        shards = [
            _Shard(tuple(tasks[first : first + _SHARD]), folder, encoders, limits, pool)
            for first in range(0, len(tasks), _SHARD)
        ]
        missing = [shard for shard in shards if shard.missing]
        with progress(sum(shard.count for shard in shards), title) as bar:
            bar.by(sum(shard.count for shard in shards if not shard.missing))
            waiting: deque[_Shard] = deque()
            try:
                for shard in _worked(missing, workers, limits, bar):
                    waiting.append(shard)  # its last squares are described while the next is made
                    if len(waiting) > 1:
                        waiting.popleft().finish()
            finally:  # interrupted, too
                while waiting:
                    waiting.popleft().finish()
    return _joined([shard.read() for shard in shards], encoders)


@contextmanager
def _threads(encoders: Sequence[Encoder]) -> Iterator[Executor]:
    """Give the threads that encode: networks side by side, if there is one."""
    if not any(encoder.descriptor for encoder in encoders):
        with ThreadPoolExecutor(1) as pool:
            yield pool
        return
    from homing.descriptors.workers import network_workers

    with network_workers() as (pool, _):
        yield pool


class _Shard:
    """Some tasks, and the files that hold their rows."""

    def __init__(
        self,
        tasks: tuple[Task, ...],
        folder: Path,
        encoders: Sequence[Encoder],
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
        return tuple(dict.fromkeys(encoder.want for encoder in self.missing))

    def take(self, made: Made) -> None:
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


def _write(path: Path, arrays: Mapping[str, Array]) -> None:
    from safetensors.numpy import save

    # Its own name until it is complete; two runs at once write the same content.
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_bytes(save({name: np.ascontiguousarray(rows) for name, rows in arrays.items()}))
    part.replace(path)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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


def _worked(
    shards: Sequence[_Shard], workers: Workers, limits: Limits, bar: Bar
) -> Iterator[_Shard]:
    """Have all tasks of the shards made; yield each shard when it is complete."""
    jobs = [(shard, part) for shard in shards for task in shard.tasks for part in _parts(task)]
    orders = ((part, shard.wants, limits) for shard, part in jobs)
    left = {id(shard): shard.count for shard in shards}
    for (shard, part), made in zip(jobs, workers.map(_carry_out, orders), strict=True):
        shard.take(made)
        left[id(shard)] -= len(part.recipes)
        bar.by(len(part.recipes))
        if not left[id(shard)]:
            yield shard


def _parts(task: Task) -> Iterator[Task]:
    """A task as several: all crops of one photograph may be thousands, too many for the memory."""
    for first in range(0, len(task.recipes), _MOST):
        yield replace(task, recipes=task.recipes[first : first + _MOST])


def _carry_out(order: tuple[Task, tuple[Want, ...], Limits]) -> Made:
    return make(*order)


def _joined(parts: Sequence[Encoded], encoders: Sequence[Encoder]) -> Encoded:
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
