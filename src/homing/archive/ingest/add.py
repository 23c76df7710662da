"""Add: pictures recorded as they are."""

import datetime
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace

import numpy as np

from homing.archive.ingest.describe import DescribedInput, Description
from homing.archive.ingest.plan import released_files
from homing.archive.ingest.run import chunks
from homing.archive.inputs import Input
from homing.archive.previews.recognition import CHANGED
from homing.archive.previews.record import carry, record_rows
from homing.archive.previews.store import PreviewStore
from homing.archive.results import Outcome
from homing.archive.table.commit import quantize
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook
from homing.images.limits import shown
from homing.images.read_small import SHOWS_NOTHING

_COMMIT = 512  # pictures recorded together, at most


def add(
    table: Table,
    previews: PreviewStore,
    generation: int,
    codebook: Codebook,
    described: Iterable[DescribedInput],
) -> Generator[Outcome, None, None]:
    """Record pictures in order; an outcome comes once its picture is recorded.

    `codebook`, that of the `generation`, encodes the vectors.
    """
    clock = time.perf_counter()
    for together in chunks(described, _COMMIT):
        chunk = _without_released(table, together)
        refused = _commit(table, previews, generation, codebook, chunk)
        refused |= _record_changed(table, chunk)
        now = time.perf_counter()
        seconds, clock = (now - clock) / len(chunk), now
        for entry in chunk:
            yield _outcome(entry, entry.planned.item.id in refused, seconds)


def _without_released(table: Table, chunk: Sequence[DescribedInput]) -> list[DescribedInput]:
    """Skip the files that the archive released, whatever their ids."""
    digests = [each.description.sha256 for each in chunk if each.description is not None]
    reasons = released_files(table, digests)
    return [
        DescribedInput(replace(each.planned, skipped=reasons[each.description.sha256]))
        if each.description is not None and each.description.sha256 in reasons
        else each
        for each in chunk
    ]


def _commit(
    table: Table,
    previews: PreviewStore,
    generation: int,
    codebook: Codebook,
    chunk: Sequence[DescribedInput],
) -> set[str]:
    """Record the described pictures of a chunk; return the ids that other pictures have."""
    described = [
        (each.planned.item, each.description) for each in chunk if each.description is not None
    ]
    if not described:
        return set()
    rows = table.to_arrow(_rows(generation, codebook, described))
    small = [description.preview for _, description in described]
    return record_rows(table, previews, carry(rows, small))


def _record_changed(table: Table, chunk: Sequence[DescribedInput]) -> set[str]:
    """Record the changed files of a chunk anew; return the ids that are gone or other pictures'."""
    refused = set()
    for each in chunk:
        changed, name = each.planned.changed, each.planned.item.id
        if changed and not table.replace_file(name, changed.old, changed.new, changed.file):
            refused.add(name)
    return refused


def _rows(
    generation: int, codebook: Codebook, described: Sequence[tuple[Input, Description]]
) -> list[Row]:
    stacked = np.stack([description.vector for _, description in described])
    quantized = zip(described, *quantize(codebook, stacked), strict=True)
    now = datetime.datetime.now(datetime.UTC)
    return [
        Row(
            id=item.id,
            state="added",
            source_sha256=description.sha256,
            file_sha256=description.sha256,
            file=None,
            width=description.width,
            height=description.height,
            psnr=None,
            created_at=now,
            vector=vector,
            generation=generation,
            cell=int(cell),
            code=code.tobytes(),
            metadata=item.metadata,
        )
        for (item, description), vector, cell, code in quantized
    ]


def _outcome(entry: DescribedInput, refused: bool, seconds: float) -> Outcome:
    planned = entry.planned
    reason = planned.skipped or planned.failed or entry.failed
    status = "skipped" if planned.skipped else "failed"
    if refused:
        reason = f"the id {planned.item.id!r} was taken by another picture meanwhile"
    elif entry.description is not None or planned.changed is not None:
        status = "added"
    return Outcome(
        source=shown(planned.item.path),
        status=status,
        id=planned.item.id,
        reason=reason,
        seconds=seconds if planned.to_do else 0.0,
        notes=_notes(entry) if status == "added" else (),
        unrecorded=planned.unrecorded,
    )


def _notes(entry: DescribedInput) -> tuple[str, ...]:
    if entry.description is None:
        return (f"its file was {CHANGED}: recorded as it is now",)
    return entry.description.notes + (SHOWS_NOTHING,) * entry.description.blank
