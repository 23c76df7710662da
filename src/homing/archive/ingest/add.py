"""Add: record pictures as they are."""

import datetime
import itertools
import time
from collections.abc import Generator, Iterable, Sequence

import numpy as np

from homing.archive.ingest.describe import Described, Seen
from homing.archive.inputs import Input
from homing.archive.results import Outcome
from homing.archive.table.commit import commit_rows, quantize
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.codebooks import Codebook
from homing.images import SHOWS_NOTHING, shown

_COMMIT = 512  # pictures recorded together


def add(
    table: Table, generation: int, codebook: Codebook, described: Iterable[Described]
) -> Generator[Outcome, None, None]:
    """Record pictures; an outcome comes once its picture is recorded, in the order given.

    Parameters
    ----------
    table : Table
    generation, codebook
        Of which rows are, and what encodes their vectors.
    described : iterable of Described
    """
    rest, clock = iter(described), time.perf_counter()
    while chunk := list(itertools.islice(rest, _COMMIT)):
        lost = _commit(table, generation, codebook, chunk)
        now = time.perf_counter()
        seconds, clock = (now - clock) / len(chunk), now
        for entry in chunk:
            yield _outcome(entry, entry.planned.item.id in lost, seconds)


def _commit(
    table: Table, generation: int, codebook: Codebook, chunk: Sequence[Described]
) -> set[str]:
    """Record those of a chunk that were described; returns ids that other pictures have."""
    seen = [(entry.planned.item, entry.seen) for entry in chunk if entry.seen is not None]
    return commit_rows(table, table.to_arrow(_rows(generation, codebook, seen))) if seen else set()


def _rows(
    generation: int, codebook: Codebook, described: Sequence[tuple[Input, Seen]]
) -> list[Row]:
    stacked = np.stack([seen.vector for _, seen in described])
    vectors, cells, codes = quantize(codebook, stacked)
    now = datetime.datetime.now(datetime.UTC)
    return [
        Row(
            id=item.id,
            state="added",
            source_sha256=seen.sha256,
            file_sha256=seen.sha256,
            file=None,
            width=seen.width,
            height=seen.height,
            psnr=None,
            created_at=now,
            vector=vector,
            generation=generation,
            cell=int(cell),
            code=code.tobytes(),
            metadata=item.metadata,
        )
        for (item, seen), vector, cell, code in zip(described, vectors, cells, codes, strict=True)
    ]


def _outcome(entry: Described, lost: bool, seconds: float) -> Outcome:
    planned = entry.planned
    reason = planned.skipped or planned.failed or entry.failed
    status = "skipped" if planned.skipped else "failed"
    if lost:
        reason = f"the id {planned.item.id!r} was taken by another picture meanwhile"
    elif entry.seen is not None:
        status = "added"
    blank = entry.seen is not None and entry.seen.blank
    return Outcome(
        source=shown(planned.item.path),
        status=status,
        id=planned.item.id,
        reason=reason,
        seconds=seconds if planned.to_do else 0.0,
        notes=(SHOWS_NOTHING,) if status == "added" and blank else (),
    )
