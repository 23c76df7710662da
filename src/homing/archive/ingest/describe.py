"""Pictures read and described, before they are recorded."""

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.archive.ingest.plan import Planned, plan
from homing.archive.inputs import Input
from homing.archive.table.location import Location
from homing.archive.table.table import Table
from homing.descriptors import Descriptor
from homing.errors import PictureError
from homing.images import Squashed, read_for_description, shows_nothing
from homing.options import Limits

BATCH = 16
"""Pictures described together; fixed, so that no picture's neighbours matter."""


@dataclass(frozen=True)
class Seen:
    """What is recorded of a picture that was described.

    Attributes
    ----------
    vector : array (D,), float32
        Its descriptor.
    sha256 : bytes
        Of its file.
    width, height : int
        Of the file, as stored.
    blank : bool
        Whether it shows nothing.
    """

    vector: NDArray[np.float32]
    sha256: bytes
    width: int
    height: int
    blank: bool


@dataclass(frozen=True)
class Described:
    """An input; what was seen of it, or why it could not be read; neither if nothing is to do."""

    planned: Planned
    seen: Seen | None = None
    failed: str | None = None


def describe(
    table: Table,
    descriptor: Descriptor,
    inputs: Iterable[Input],
    *,
    archive: Location,
    limits: Limits,
    readers: int | None = None,
) -> Iterator[Described]:
    """Describe those of the inputs that are not in the record, in the order given.

    Parameters
    ----------
    table : Table
        The version in view when an input's turn comes counts.
    descriptor : Descriptor
    inputs : iterable of Input
    archive : Location
    limits : Limits
    readers : int or None
        Threads that decode, a few batches ahead of the network; one for each processor if None.
    """

    def read(planned: Planned) -> _Read:
        return _read(planned, descriptor.input_size, limits)

    reading: deque[Future[_Read]] = deque()
    pool = ThreadPoolExecutor(readers or os.cpu_count() or 1)
    try:
        rest = iter(plan(table, inputs, archive, limits, release=False))
        for entry in itertools.islice(rest, 4 * BATCH):
            reading.append(pool.submit(read, entry))
        while reading:
            batch = [reading.popleft().result() for _ in range(min(BATCH, len(reading)))]
            for entry in itertools.islice(rest, BATCH):
                reading.append(pool.submit(read, entry))
            yield from _described(batch, descriptor)
    finally:
        pool.shutdown(cancel_futures=True)  # interrupted, it does not read on for nothing


@dataclass(frozen=True)
class _Read:
    planned: Planned
    result: Squashed | PictureError | None = None


def _read(planned: Planned, size: int, limits: Limits) -> _Read:
    if not planned.to_do:
        return _Read(planned)
    try:
        return _Read(planned, read_for_description(planned.item.path, size, limits=limits))
    except PictureError as error:
        return _Read(planned, error)


def _described(batch: Sequence[_Read], descriptor: Descriptor) -> Iterator[Described]:
    squashed = [entry.result.pixels for entry in batch if isinstance(entry.result, Squashed)]
    if squashed:
        pixels = np.stack(squashed)
        vectors = iter(descriptor.describe_squashed(pixels, batch=BATCH, pad=True))
        blank = iter(shows_nothing(pixels))
    for entry in batch:
        if isinstance(entry.result, Squashed):
            found = entry.result
            seen = Seen(
                next(vectors), found.sha256, found.width, found.height, blank=bool(next(blank))
            )
            yield Described(entry.planned, seen)
        else:
            yield Described(entry.planned, failed=_reason(entry.result))


def _reason(error: PictureError | None) -> str | None:
    return None if error is None else str(error)
