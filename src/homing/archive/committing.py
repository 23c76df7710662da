"""Rows go in once, whoever else is writing, and a row never changes into another picture's."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.record import Record
from homing.codebooks import Codebook

__all__ = ["commit_rows", "quantize"]


def quantize(
    codebook: Codebook, vectors: NDArray[np.float32]
) -> tuple[NDArray[np.float16], NDArray[np.int32], NDArray[np.uint8]]:
    """What is stored of descriptors: half-precision vectors, and cell and code of exactly these."""
    stored = vectors.astype(np.float16)
    cells, codes = codebook.encode_with_cells(stored.astype(np.float32))
    return stored, cells, codes


def commit_rows(record: Record, table: pa.Table) -> set[str]:
    """Write rows to the record.

    A row of a new id is inserted; a row of the same picture (by its source's checksum) replaces the
    one there; a row of another picture under an id already taken is left out.

    Returns
    -------
    set of str
        Ids left out because another picture has them.
    """
    record.refresh()
    known = _sources(record, table)
    sources = dict(_pairs(table))
    fresh = [i for i in sources if i not in known]
    same = [i for i, source in sources.items() if known.get(i) == source]
    if same:
        record.upsert(_those(table, same))
    if fresh:
        record.insert(_those(table, fresh))
        known |= _sources(record, _those(table, fresh))
    return {i for i, source in sources.items() if known.get(i) != source}


def _pairs(table: pa.Table) -> list[tuple[str, bytes]]:
    ids, sources = table.column("id").to_pylist(), table.column("source_sha256").to_pylist()
    return list(zip(ids, sources, strict=True))


def _sources(record: Record, table: pa.Table) -> dict[str, bytes]:
    found = record.lookup(table.column("id").to_pylist(), ["source_sha256"])
    return {i: row["source_sha256"] for i, row in found.items()}


def _those(table: pa.Table, ids: Sequence[str]) -> pa.Table:
    return table.filter(pa.compute.is_in(table.column("id"), pa.array(ids, pa.string())))
