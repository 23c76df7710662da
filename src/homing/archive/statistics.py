"""Figures of an archive."""

from pathlib import Path
from typing import Any

import numpy as np

from homing.archive.record import Record
from homing.archive.segments import coverage
from homing.archive.settings import ArchiveSettings
from homing.archive.stores import Place
from homing.codebooks import Codebook

__all__ = ["statistics"]


def statistics(
    record: Record, settings: ArchiveSettings, codebook: Codebook, path: Place
) -> dict[str, Any]:
    """Count entries, cells, bytes; with stable keys. One scan of three small columns."""
    states: dict[str, int] = {"released": 0, "added": 0}
    occupancy = np.zeros(codebook.cell_count, dtype=np.int64)
    decibels: list[float] = []
    for batch in record.batches(["state", "cell", "psnr"]):
        for state in batch.column("state").to_pylist():
            states[state] += 1
        cells = batch.column("cell").to_numpy()
        occupancy += np.bincount(cells, minlength=len(occupancy))
        decibels += batch.column("psnr").drop_null().to_pylist()
    entries = sum(states.values())
    loose = sum(coverage(record, codebook).loose.values())
    return {
        "archive": str(path),
        "entries": entries,
        **states,
        "descriptor": settings.descriptor,
        "codebook": settings.codebook,
        "codebook_fingerprint": settings.codebook_fingerprint,
        "expect": settings.expect,
        "cells": len(occupancy),
        "cells_used": int(np.count_nonzero(occupancy)),
        "fullest_cell": int(occupancy.max(initial=0)),
        "psnr_mean": round(float(np.mean(decibels)), 3) if decibels else None,
        "psnr_least": round(min(decibels), 3) if decibels else None,
        "indexed": entries - loose,
        "bytes_on_disk": _bytes(record, path),
        "bytes_of_codes": entries * (codebook.code_size + 8),
        "version": record.version,
        "created_at": settings.created_at,
        "created_by": settings.created_by,
    }


def _bytes(record: Record, path: Place) -> int:
    """Bytes of all files; in an object store of the version in view alone, as its record says."""
    if not isinstance(path, Path):
        return record.size()
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
