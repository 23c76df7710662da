"""Rows go in once, whoever else is writing, and a row never changes into another picture's."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.table import Table
from homing.codebooks import Codebook

_DECIDING = ("source_sha256", "state", "file", "file_sha256")


def quantize(
    codebook: Codebook, vectors: NDArray[np.float32]
) -> tuple[NDArray[np.float16], NDArray[np.int32], NDArray[np.uint8]]:
    """What is stored of descriptors: half-precision vectors, and cell and code of exactly these."""
    stored = vectors.astype(np.float16)
    cells, codes = codebook.encode_with_cells(stored.astype(np.float32))
    return stored, cells, codes


def commit_rows(table: Table, rows: pa.Table) -> set[str]:
    """Write rows to the record.

    A row of a new id is inserted. Where the id is there with the same picture (by its source's
    checksum), a released row replaces it, and an added one never does: another process may have
    released the picture since. A row of another picture under an id already taken is left out.

    Returns
    -------
    set of str
        Ids left out because another picture has them.
    """
    table.refresh()
    wanted = {row["id"]: row for row in rows.select(["id", *_DECIDING]).to_pylist()}
    known = table.lookup(list(wanted), _DECIDING)
    fresh = [i for i in wanted if i not in known]
    # A look at ids costs a scan of all there are; after the rows went in it is needed only where
    # another process was quicker with one of them.
    if fresh and table.insert(_those(rows, fresh)) < len(fresh):
        known |= table.lookup(fresh, _DECIDING)
    # Those not there were inserted, and perhaps removed since.
    known = {i: known.get(i, wanted[i]) for i in wanted}
    same = [i for i in wanted if known[i]["source_sha256"] == wanted[i]["source_sha256"]]
    newer = [i for i in same if wanted[i]["state"] == "released" and known[i] != wanted[i]]
    if newer:
        table.upsert(_those(rows, newer))
    return set(wanted) - set(same)


def _those(rows: pa.Table, ids: Sequence[str]) -> pa.Table:
    return rows.filter(pa.compute.is_in(rows.column("id"), pa.array(ids, pa.string())))
