"""Verification and statistics of an archive: table, codebooks and released files."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from homing.archive.codebooks import list_generations
from homing.archive.previews.check import PreviewCheck
from homing.archive.previews.recognition import CHANGED, Recognition
from homing.archive.previews.upkeep import PreviewCounts, count_previews
from homing.archive.results import Problem, Verification
from homing.archive.settings import ArchiveSettings
from homing.archive.table.addresses import stored_bytes
from homing.archive.table.commit import vector_problems
from homing.archive.table.index import read_coverages
from homing.archive.table.location import Location, resolve_place
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook
from homing.files.durable import file_sha256

_BATCH = 4096


def verify(
    table: Table,
    codebooks: Sequence[Codebook],
    archive: Location,
    recognition: Recognition,
    *,
    files: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Check every row against its generation's codebook, and optionally its released file.

    Of previews without `files` only the packs must be there.
    `progress` is called with the number of rows checked since the last call.
    """
    problems: list[Problem] = []
    seen: set[str] = set()
    entries = checked = 0
    check = PreviewCheck(recognition.store, read=files)
    for rows in _batches(table):
        entries += len(rows)
        problems += _check_ids(rows, seen)
        for number, codebook in enumerate(codebooks, start=1):
            problems += _check_codes([r for r in rows if r.generation == number], codebook)
        problems += check.problems(rows)
        if files:
            released = [row for row in rows if row.file is not None]
            checked += len(released)
            problems += (p for row in released for p in _check_file(row, archive, recognition))
        if progress is not None:
            progress(len(rows))
    return Verification(entries, checked, tuple(problems), check.checked)


def _batches(table: Table) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in table.rows(with_vectors=True):
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _check_ids(rows: list[Row], seen: set[str]) -> Iterator[Problem]:
    for row in rows:
        if row.id in seen:
            yield Problem(row.id, "the id stands twice")
        seen.add(row.id)


def _check_codes(rows: list[Row], codebook: Codebook) -> Iterator[Problem]:
    if not rows:
        return
    vectors = np.stack([row.vector for row in rows if row.vector is not None]).astype(np.float32)
    cells, codes = [row.cell for row in rows], [row.code for row in rows]
    reasons = vector_problems(codebook, vectors, cells, codes)
    yield from (Problem(r.id, reason) for r, reason in zip(rows, reasons, strict=True) if reason)


def _check_file(row: Row, archive: Location, recognition: Recognition) -> Iterator[Problem]:
    assert row.file is not None
    path = resolve_place(row.file, archive)
    try:
        digest = file_sha256(path)
    except OSError as error:
        yield Problem(row.id, f"its file {path} cannot be read: {error.strerror}")
        return
    if digest == row.file_sha256:
        return
    if recognition.recognises(path, vars(row)):
        again = "record it as it is now with 'homing add'"
        yield Problem(row.id, f"its file {path} was {CHANGED}: {again}")
    else:
        yield Problem(row.id, f"its file {path} is not the one released (SHA-256 differs)")


def statistics(
    table: Table, settings: ArchiveSettings, codebooks: Sequence[Codebook], path: Location
) -> dict[str, Any]:
    """Count entries, cells and bytes, with stable keys; one scan of four small columns.

    ``codebook`` and ``codebook_fingerprint`` are the newest generation's; several generations are
    listed under ``generations``.
    """
    states: dict[str, int] = {"released": 0, "added": 0}
    counts = [codebook.cell_count for codebook in codebooks]
    occupancy = np.zeros(sum(counts), dtype=np.int64)
    decibels: list[float] = []
    for batch in table.batches(["state", "cell", "psnr"]):
        for state in batch.column("state").to_pylist():
            states[state] += 1
        cells = batch.column("cell").to_numpy()
        occupancy += np.bincount(cells, minlength=len(occupancy))
        decibels += batch.column("psnr").drop_null().to_pylist()
    each = np.split(occupancy, np.cumsum(counts)[:-1])
    entries = [int(own.sum()) for own in each]
    unindexed = [coverage.unindexed_rows for coverage in read_coverages(table, codebooks)]
    generations = list_generations(table, settings)
    small = count_previews(table)
    values: dict[str, Any] = {
        "archive": str(path),
        "entries": sum(entries),
        **states,
        "descriptor": settings.descriptor,
        "codebook": generations[-1].codebook,
        "codebook_fingerprint": generations[-1].fingerprint,
        "expect": settings.expect,
        "cells": len(occupancy),
        "cells_used": int(np.count_nonzero(occupancy)),
        "fullest_cell": int(occupancy.max(initial=0)),
        "psnr_mean": round(float(np.mean(decibels)), 3) if decibels else None,
        "psnr_least": round(min(decibels), 3) if decibels else None,
        "indexed": sum(entries) - sum(unindexed),
        "previews": small.previews,
        "bytes_on_disk": _bytes(table, path, small),
        "bytes_of_previews": small.bytes_of_previews,
        "bytes_of_codes": sum(
            n * (codebook.code_size + 8) for n, codebook in zip(entries, codebooks, strict=True)
        ),
        "version": table.version,
        "created_at": settings.created_at,
        "created_by": settings.created_by,
    }
    if len(generations) > 1:
        values["generations"] = [
            generation.as_dict()
            | {
                "entries": entries[number],
                "cells": counts[number],
                "cells_used": int(np.count_nonzero(each[number])),
                "fullest_cell": int(each[number].max(initial=0)),
                "indexed": entries[number] - unindexed[number],
            }
            for number, generation in enumerate(generations)
        ]
    return values


def _bytes(table: Table, path: Location, small: PreviewCounts) -> int:
    """Sum the bytes of all files; in an object store only those of the version in view."""
    if not isinstance(path, Path):
        return stored_bytes(table) + small.bytes_of_previews
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
