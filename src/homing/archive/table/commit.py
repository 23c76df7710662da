"""Commits of rows: each goes in once, whoever else writes, and never becomes another picture's."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from homing.archive.table.rows import is_source
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook

_UNIT_TOLERANCE = 2e-3  # rounding to half precision changes a unit vector's length by less
_DECIDING = ("source_sha256", "state", "file", "file_sha256")


def quantize(
    codebook: Codebook, vectors: NDArray[np.float32]
) -> tuple[NDArray[np.float16], NDArray[np.int32], NDArray[np.uint8]]:
    """Return descriptors in half precision, and cell and code of exactly these."""
    stored = vectors.astype(np.float16)
    cells, codes = codebook.encode_with_cells(stored.astype(np.float32))
    return stored, cells, codes


def vector_problems(
    codebook: Codebook,
    vectors: NDArray[np.float32],
    cells: Iterable[int],
    codes: Iterable[bytes | None],
) -> list[str | None]:
    """Check stored (n, D) vectors and what the codebook makes of them; None where all is right."""
    lengths = np.linalg.norm(vectors, axis=1)
    unit = np.isfinite(lengths) & (np.abs(lengths - 1) < _UNIT_TOLERANCE)
    right_cells, right_codes = codebook.encode_with_cells(np.where(unit[:, None], vectors, 0))
    problems: list[str | None] = []
    for is_unit, cell, code, right_cell, right_code in zip(
        unit, cells, codes, right_cells, right_codes, strict=True
    ):
        if not is_unit:
            problems.append("its vector is not a unit vector")
        elif cell != right_cell or code != right_code.tobytes():
            problems.append("its cell and code are not the codebook's for its vector")
        else:
            problems.append(None)
    return problems


def commit_rows(table: Table, rows: pa.Table) -> set[str]:
    """Record rows; returns the ids left out because another picture has them.

    A row of a new id is inserted. Where the id exists with the same picture (by its source's
    checksum), a released row replaces it, and an added one never does: another process may have
    released the picture since.
    """
    table.refresh()
    asked = rows.column("id").to_pylist()
    known = table.lookup(asked, _DECIDING)
    # An entry keeps its id's spelling, in which alone a merge finds it.
    given = set(asked)
    spelled = {i: row["id"] for i, row in known.items() if row["id"] not in given}
    if spelled:
        ids = pa.array([spelled.get(i, i) for i in asked], pa.string())
        rows = rows.set_column(0, rows.schema.field("id"), ids)
        refused = _commit(table, rows, {row["id"]: row for row in known.values()})
        return {i for i in asked if spelled.get(i, i) in refused}
    return _commit(table, rows, known)


def _commit(table: Table, rows: pa.Table, known: dict[str, dict[str, Any]]) -> set[str]:
    """Record rows as :func:`commit_rows` does; `known` are the entries that have their ids."""
    wanted = {row["id"]: row for row in rows.select(["id", *_DECIDING]).to_pylist()}
    new = [i for i in wanted if i not in known]
    # A lookup scans all ids; after the insert it is needed only where another process was quicker
    # with one of them.
    if new and table.insert(_select(rows, new)) < len(new):
        known |= table.lookup(new, _DECIDING)
    # Ids still unknown were inserted, and perhaps removed since.
    known = {i: known.get(i, wanted[i]) for i in wanted}
    same = [i for i in wanted if is_source(wanted[i]["source_sha256"], known[i])]
    newer = [i for i in same if wanted[i]["state"] == "released" and known[i] != wanted[i]]
    if newer:
        table.upsert(_select(rows, newer))
    return set(wanted) - set(same)


def _select(rows: pa.Table, ids: Sequence[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows.column("id"), pa.array(ids, pa.string())))
