"""Verification: whether the record, the codebook and the released files agree."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from homing.archive.codebooks import generations
from homing.archive.results import Problem, Verification
from homing.archive.settings import ArchiveSettings
from homing.archive.table.addresses import bytes_taken
from homing.archive.table.index import coverages
from homing.archive.table.location import Location, resolve_place
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.codebooks import Codebook
from homing.files.durable import file_sha256

_BATCH = 4096
_UNIT_TOLERANCE = 2e-3  # rounding to half precision moves a unit vector's length by less


def verify(
    table: Table,
    codebooks: Sequence[Codebook],
    archive: Location,
    *,
    files: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Check every row against its codebook and, where asked, against its released file.

    Parameters
    ----------
    record, codebooks, archive
        What is verified, with the codebooks of its generations; `archive` is the folder that
        recorded places are relative to.
    files : bool
        Whether released files are read and their checksums compared.
    progress : callable
        Called with the number of rows checked since the last call.
    """
    problems: list[Problem] = []
    seen: set[str] = set()
    entries = checked = 0
    for rows in _batches(table):
        entries += len(rows)
        problems += _check_ids(rows, seen)
        for number, codebook in enumerate(codebooks, start=1):
            problems += _check_codes([r for r in rows if r.generation == number], codebook)
        if files:
            released = [row for row in rows if row.file is not None]
            checked += len(released)
            problems += (p for row in released for p in _check_file(row, archive))
        if progress is not None:
            progress(len(rows))
    return Verification(entries=entries, files=checked, problems=tuple(problems))


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
    lengths = np.linalg.norm(vectors, axis=1)
    sound = np.isfinite(lengths) & (np.abs(lengths - 1) < _UNIT_TOLERANCE)
    cells, codes = codebook.encode_with_cells(np.where(sound[:, None], vectors, 0))
    for row, good, cell, code in zip(rows, sound, cells, codes, strict=True):
        if not good:
            yield Problem(row.id, "its vector is not a unit vector")
        elif row.cell != int(cell) or row.code != code.tobytes():
            yield Problem(row.id, "its cell and code are not the codebook's for its vector")


def _check_file(row: Row, archive: Location) -> Iterator[Problem]:
    assert row.file is not None
    path = resolve_place(row.file, archive)
    try:
        digest = file_sha256(path)
    except OSError as error:
        yield Problem(row.id, f"its file {path} cannot be read: {error.strerror}")
        return
    if digest != row.file_sha256:
        yield Problem(row.id, f"its file {path} is not the one released (SHA-256 differs)")


def statistics(
    table: Table, settings: ArchiveSettings, codebooks: Sequence[Codebook], path: Location
) -> dict[str, Any]:
    """Count entries, cells, bytes; with stable keys. One scan of three small columns.

    ``codebook`` and ``codebook_fingerprint`` are of the newest generation; ``generations``, where
    there are several, tells of each by itself.
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
    loose = [sum(found.loose.values()) for found in coverages(table, codebooks)]
    named = generations(table, settings)
    values: dict[str, Any] = {
        "archive": str(path),
        "entries": sum(entries),
        **states,
        "descriptor": settings.descriptor,
        "codebook": named[-1].codebook,
        "codebook_fingerprint": named[-1].fingerprint,
        "expect": settings.expect,
        "cells": len(occupancy),
        "cells_used": int(np.count_nonzero(occupancy)),
        "fullest_cell": int(occupancy.max(initial=0)),
        "psnr_mean": round(float(np.mean(decibels)), 3) if decibels else None,
        "psnr_least": round(min(decibels), 3) if decibels else None,
        "indexed": sum(entries) - sum(loose),
        "bytes_on_disk": _bytes(table, path),
        "bytes_of_codes": sum(
            n * (codebook.code_size + 8) for n, codebook in zip(entries, codebooks, strict=True)
        ),
        "version": table.version,
        "created_at": settings.created_at,
        "created_by": settings.created_by,
    }
    if len(named) > 1:
        values["generations"] = [
            generation.as_dict()
            | {
                "entries": entries[number],
                "cells": counts[number],
                "cells_used": int(np.count_nonzero(each[number])),
                "fullest_cell": int(each[number].max(initial=0)),
                "indexed": entries[number] - loose[number],
            }
            for number, generation in enumerate(named)
        ]
    return values


def _bytes(table: Table, path: Location) -> int:
    """Bytes of all files; in an object store of the version in view alone, as its record says."""
    if not isinstance(path, Path):
        return bytes_taken(table)
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
