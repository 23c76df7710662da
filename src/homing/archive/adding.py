"""Add: record pictures as they are."""

import datetime
import itertools
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.archive.committing import commit_rows, quantize
from homing.archive.manifest import Input
from homing.archive.planning import Planned, plan
from homing.archive.record import Record, Row
from homing.archive.results import Outcome
from homing.archive.stores import Place
from homing.codebooks import Codebook
from homing.descriptors import Descriptor
from homing.errors import PictureError
from homing.images import (
    SHOWS_NOTHING,
    Limits,
    Squashed,
    read_for_description,
    shown,
    shows_nothing,
)

__all__ = ["add"]

_COMMIT = 512  # pictures recorded together
_BATCH = 16  # pictures described together; fixed, so that no picture's neighbours matter


def add(
    record: Record,
    descriptor: Descriptor,
    codebook: Codebook,
    inputs: Iterable[Input],
    *,
    archive: Place,
    limits: Limits,
) -> Iterator[Outcome]:
    """Add pictures; an outcome comes once its picture is recorded, in the order given.

    Pictures are decoded in worker threads, a few batches ahead of the network.
    """
    run = _Run(record, descriptor, codebook, limits)
    items = run.read(plan(record, inputs, archive, limits, release=False))
    while chunk := list(itertools.islice(items, _COMMIT)):
        yield from run.commit(chunk)


@dataclass(frozen=True)
class _Read:
    planned: Planned
    result: Squashed | PictureError | None


class _Run:
    def __init__(
        self, record: Record, descriptor: Descriptor, codebook: Codebook, limits: Limits
    ) -> None:
        self._record = record
        self._descriptor = descriptor
        self._codebook = codebook
        self._limits = limits
        self._clock = time.perf_counter()

    def read(
        self, planned: Iterable[Planned]
    ) -> Iterator[tuple[_Read, NDArray[np.float32] | None]]:
        """Decode and describe, in order."""
        reading: deque[Future[_Read]] = deque()
        pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
        try:
            rest = iter(planned)
            for entry in itertools.islice(rest, 4 * _BATCH):
                reading.append(pool.submit(self._read, entry))
            while reading:
                batch = [reading.popleft().result() for _ in range(min(_BATCH, len(reading)))]
                for entry in itertools.islice(rest, _BATCH):
                    reading.append(pool.submit(self._read, entry))
                yield from self._describe(batch)
        finally:
            pool.shutdown(cancel_futures=True)  # interrupted, it does not read on for nothing

    def _read(self, planned: Planned) -> _Read:
        if not planned.to_do:
            return _Read(planned, None)
        try:
            size = self._descriptor.input_size
            return _Read(
                planned, read_for_description(planned.item.path, size, limits=self._limits)
            )
        except PictureError as error:
            return _Read(planned, error)

    def _describe(
        self, batch: Sequence[_Read]
    ) -> Iterator[tuple[_Read, NDArray[np.float32] | None]]:
        squashed = [entry.result.pixels for entry in batch if isinstance(entry.result, Squashed)]
        if squashed:
            vectors = iter(
                self._descriptor.describe_squashed(np.stack(squashed), batch=_BATCH, pad=True)
            )
        for entry in batch:
            yield entry, next(vectors) if isinstance(entry.result, Squashed) else None

    def commit(
        self, chunk: Sequence[tuple[_Read, NDArray[np.float32] | None]]
    ) -> Iterator[Outcome]:
        """Record a chunk; its outcomes in order."""
        described = [
            (entry.planned.item, entry.result, vector)
            for entry, vector in chunk
            if isinstance(entry.result, Squashed) and vector is not None
        ]
        lost: set[str] = set()
        if described:
            lost = commit_rows(self._record, self._record.table(self._rows(described)))
        now = time.perf_counter()
        seconds, self._clock = (now - self._clock) / len(chunk), now
        for entry, _ in chunk:
            yield _outcome(entry, entry.planned.item.id in lost, seconds)

    def _rows(self, described: Sequence[tuple[Input, Squashed, NDArray[np.float32]]]) -> list[Row]:
        stacked = np.stack([vector for _, _, vector in described])
        vectors, cells, codes = quantize(self._codebook, stacked)
        now = datetime.datetime.now(datetime.UTC)
        return [
            Row(
                id=item.id,
                state="added",
                source_sha256=squashed.sha256,
                file_sha256=squashed.sha256,
                file=None,
                width=squashed.width,
                height=squashed.height,
                psnr=None,
                created_at=now,
                vector=vector,
                cell=int(cell),
                code=code.tobytes(),
                metadata=item.metadata,
            )
            for (item, squashed, _), vector, cell, code in zip(
                described, vectors, cells, codes, strict=True
            )
        ]


def _outcome(entry: _Read, lost: bool, seconds: float) -> Outcome:
    planned = entry.planned
    reason = planned.failed or planned.skipped
    status = "skipped" if planned.skipped else "failed"
    if isinstance(entry.result, PictureError):
        reason = str(entry.result)
    elif lost:
        reason = f"the id {planned.item.id!r} was taken by another picture meanwhile"
    elif entry.result is not None:
        status = "added"
    blank = isinstance(entry.result, Squashed) and bool(shows_nothing(entry.result.pixels))
    return Outcome(
        source=shown(planned.item.path),
        status=status,
        id=planned.item.id,
        reason=reason,
        seconds=seconds if entry.result is not None else 0.0,
        notes=(SHOWS_NOTHING,) if status == "added" and blank else (),
    )
