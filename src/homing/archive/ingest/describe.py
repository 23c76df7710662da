"""Pictures read and described, before they are recorded."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from homing.archive.ingest.plan import PlannedInput, plan
from homing.archive.ingest.run import UNOBSERVED, Observer
from homing.archive.inputs import Input
from homing.archive.previews.recognition import Recognition
from homing.archive.previews.store import PreviewStore
from homing.archive.table.location import Location
from homing.archive.table.table import Table
from homing.descriptors import Descriptor
from homing.errors import PictureError
from homing.images.preview import encode_preview
from homing.images.read_small import Squashed, read_for_description, shows_nothing
from homing.options import Limits
from homing.workers.ahead import submitted_ahead

BATCH = 16  # pictures described together; fixed, so that a picture's neighbours do not matter


@dataclass(frozen=True)
class Description:
    """Description of a picture, as it is recorded."""

    vector: NDArray[np.float32]  # (D,), its descriptor
    sha256: bytes  # of the file
    width: int  # pixels, as stored
    height: int
    blank: bool  # the picture shows nothing
    preview: bytes | None = None
    notes: tuple[str, ...] = ()  # what was wrong with the file


@dataclass(frozen=True)
class DescribedInput:
    """An input with its description, or why it could not be read; neither if nothing is to do."""

    planned: PlannedInput
    description: Description | None = None
    failed: str | None = None


_Read = tuple[PlannedInput, Squashed | PictureError | None, bytes | None]


def describe(
    table: Table,
    descriptor: Descriptor,
    inputs: Iterable[Input],
    *,
    archive: Location,
    limits: Limits,
    preview: int = 0,
    readers: int | None = None,
    observer: Observer = UNOBSERVED,
) -> Iterator[DescribedInput]:
    """Describe the inputs that have no row in the table yet, in the order given.

    The table's version at an input's turn counts. `preview` is the longer side of previews, 0 for
    none. `readers` threads (None: one per processor) decode a few batches ahead of the network.
    """

    def read(planned: PlannedInput) -> _Read:
        return planned, *_read(planned, descriptor.input_size, limits, preview)

    pool = ThreadPoolExecutor(readers or os.cpu_count() or 1)
    try:
        known = Recognition(PreviewStore.at(archive, preview), descriptor.input_size, limits)
        planned = _begin(plan(table, inputs, archive, known), observer)
        reads = submitted_ahead((pool.submit(read, each) for each in planned), 4 * BATCH)
        while batch := [future.result() for future in itertools.islice(reads, BATCH)]:
            for described in _describe(batch, descriptor):
                if described.planned.to_do:
                    observer.worked()
                yield described
    finally:
        pool.shutdown(cancel_futures=True)  # after an interrupt, it stops reading


def _begin(planned: Iterable[PlannedInput], observer: Observer) -> Iterator[PlannedInput]:
    """Yield inputs until the observer stops them, and tell it of each."""
    for each in planned:
        if observer.stopped():
            return
        (observer.begun if each.to_do else observer.skipped)()
        yield each


def _read(
    planned: PlannedInput, size: int, limits: Limits, preview: int
) -> tuple[Squashed | PictureError | None, bytes | None]:
    """Read a picture, and make its preview."""
    if not planned.to_do:
        return None, None
    try:
        read = read_for_description(planned.item.path, size, limits=limits, longer=preview)
    except PictureError as error:
        return error, None
    if read.fitted is None:
        return read, None
    return replace(read, fitted=None), encode_preview(read.fitted)


def _describe(batch: Sequence[_Read], descriptor: Descriptor) -> Iterator[DescribedInput]:
    squashed = [read.pixels for _, read, _ in batch if isinstance(read, Squashed)]
    if squashed:
        pixels = np.stack(squashed)
        vectors = iter(descriptor.describe_squashed(pixels, batch=BATCH, pad=True))
        blank = iter(shows_nothing(pixels))
    for planned, read, preview in batch:
        if isinstance(read, Squashed):
            description = Description(
                next(vectors),
                read.sha256,
                read.width,
                read.height,
                blank=bool(next(blank)),
                preview=preview,
                notes=read.notes,
            )
            yield DescribedInput(planned, description)
        else:
            yield DescribedInput(planned, failed=None if read is None else str(read))
