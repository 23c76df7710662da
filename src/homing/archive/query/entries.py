"""Entries that a search has found, read from the table on demand or held in memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.hits import RecordedPicture
from homing.archive.table.columns import Columns
from homing.archive.table.rows import PREVIEW
from homing.archive.table.table import Table


@dataclass(frozen=True)
class Entry:
    """Facts of an entry that a hit reports."""

    id: str
    state: str
    generation: int
    cell: int
    metadata: Mapping[str, Any] | None


class Entries:
    """Entries of one version of a table, by position in the scan; read on demand."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._generations = table.generations

    def ids(self, positions: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return ids in the shape of the positions; None for the position −1."""
        unique, inverse = np.unique(positions, return_inverse=True)
        exists = unique >= 0
        names = np.full(len(unique), None, dtype=object)
        if exists.any():
            rows = self._table.take(unique[exists].tolist(), ["id"])
            names[exists] = rows.column("id").to_pylist()
        return names[inverse].reshape(positions.shape)

    def ids_and_states(self, positions: NDArray[np.int64]) -> list[tuple[str, str]]:
        """Return the id and state of each of some entries."""
        rows = self._rows(positions, ["id", "state"])
        return [(row["id"], row["state"]) for row in rows]

    def describe(self, positions: NDArray[np.int64]) -> list[Entry]:
        """Describe some entries, in their order."""
        rows = self._rows(positions, ["id", "state", "cell", "metadata"])
        return [
            Entry(
                row["id"],
                row["state"],
                *self._generations.split_cell(row["cell"]),
                json.loads(row["metadata"]) if row["metadata"] else None,
            )
            for row in rows
        ]

    def pictures(self, positions: NDArray[np.int64]) -> list[RecordedPicture]:
        """Return what is recorded of the pictures of some entries, in one read."""
        columns = ["source_sha256", "file_sha256", "width", "height"]
        columns += [PREVIEW.name] if self._table.has_previews else []
        rows = self._read(positions, columns)
        return [RecordedPicture(**({PREVIEW.name: None} | row)) for row in rows]

    def _rows(self, positions: NDArray[np.int64], columns: list[str]) -> list[dict[str, Any]]:
        """Return what :meth:`ids_and_states` and :meth:`describe` need, from memory if held."""
        return self._read(positions, columns)

    def _read(self, positions: NDArray[np.int64], columns: list[str]) -> list[dict[str, Any]]:
        """Read columns of some rows, in their order, in one read."""
        if not len(positions):
            return []
        unique, inverse = np.unique(positions, return_inverse=True)
        rows = self._table.take(unique.tolist(), columns).to_pylist()
        return [rows[place] for place in inverse]


class HeldEntries(Entries):
    """Entries whose ids, states and cells are held in memory; only metadata are read."""

    def __init__(self, table: Table, columns: Columns) -> None:
        super().__init__(table)
        self._ids = columns.ids
        self._cells = columns.cells
        self._released = columns.released
        self._described = columns.has_metadata

    def ids(self, positions: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return ids in the shape of the positions; None for the position −1."""
        flat = positions.ravel()
        wanted = pa.array(flat, mask=flat < 0) if flat.min(initial=0) < 0 else pa.array(flat)
        names: NDArray[np.object_] = self._ids.take(wanted).to_numpy(zero_copy_only=False)
        return names.reshape(positions.shape)

    def _rows(self, positions: NDArray[np.int64], columns: Sequence[str]) -> list[dict[str, Any]]:
        rows = [
            {
                "id": name,
                "state": "released" if self._released[position] else "added",
                "cell": int(self._cells[position]),
                "metadata": None,
            }
            for name, position in zip(self.ids(positions), positions, strict=True)
        ]
        described = np.flatnonzero(self._described[positions]).tolist()
        if described and "metadata" in columns:
            texts = self._table.take(positions[described].tolist(), ["metadata"])["metadata"]
            for place, text in zip(described, texts.to_pylist(), strict=True):
                rows[place]["metadata"] = text
        return rows
