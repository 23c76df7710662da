"""Figures of an archive."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from homing.archive.fragments import bytes_taken
from homing.archive.generations import generations
from homing.archive.record import Record
from homing.archive.segments import coverages
from homing.archive.settings import ArchiveSettings
from homing.archive.stores import Place
from homing.codebooks import Codebook


def statistics(
    record: Record, settings: ArchiveSettings, codebooks: Sequence[Codebook], path: Place
) -> dict[str, Any]:
    """Count entries, cells, bytes; with stable keys. One scan of three small columns.

    ``codebook`` and ``codebook_fingerprint`` are of the newest generation; ``generations``, where
    there are several, tells of each by itself.
    """
    states: dict[str, int] = {"released": 0, "added": 0}
    counts = [codebook.cell_count for codebook in codebooks]
    occupancy = np.zeros(sum(counts), dtype=np.int64)
    decibels: list[float] = []
    for batch in record.batches(["state", "cell", "psnr"]):
        for state in batch.column("state").to_pylist():
            states[state] += 1
        cells = batch.column("cell").to_numpy()
        occupancy += np.bincount(cells, minlength=len(occupancy))
        decibels += batch.column("psnr").drop_null().to_pylist()
    each = np.split(occupancy, np.cumsum(counts)[:-1])
    entries = [int(own.sum()) for own in each]
    loose = [sum(found.loose.values()) for found in coverages(record, codebooks)]
    named = generations(record, settings)
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
        "bytes_on_disk": _bytes(record, path),
        "bytes_of_codes": sum(
            n * (codebook.code_size + 8) for n, codebook in zip(entries, codebooks, strict=True)
        ),
        "version": record.version,
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


def _bytes(record: Record, path: Place) -> int:
    """Bytes of all files; in an object store of the version in view alone, as its record says."""
    if not isinstance(path, Path):
        return bytes_taken(record)
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
