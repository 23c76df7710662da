"""Entries that a search has found, held in memory or read from the table on demand."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.columns import Columns
from homing.archive.table.table import Table


@dataclass(frozen=True)
class Entry:
    """Facts of an entry that a hit reports."""

    id: str
    state: str
    generation: int
    cell: int
    metadata: Mapping[str, Any] | None


class Entries(Protocol):
    """Entries of one version of a table, by their positions in the order of the scan."""

    def ids(self, positions: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return ids in the shape of the positions; None for the position −1."""

    def ids_and_states(self, positions: NDArray[np.int64]) -> list[tuple[str, str]]:
        """Return the id and state of each of some entries."""

    def describe(self, positions: NDArray[np.int64]) -> list[Entry]:
        """Describe some entries, in their order."""


class HeldEntries:
    """Entries whose ids, states and cells are held in memory."""

    def __init__(self, table: Table, columns: Columns) -> None:
        self._table = table
        self._layout = table.layout
        self._ids = columns.ids
        self._cells = columns.cells
        self._released = columns.released
        self._described = columns.described

    def ids(self, positions: NDArray[np.int64]) -> NDArray[np.object_]:
        """Return ids in the shape of the positions; None for the position −1."""
        wanted = pa.array(positions.ravel(), mask=positions.ravel() < 0)
        names: NDArray[np.object_] = self._ids.take(wanted).to_numpy(zero_copy_only=False)
        return names.reshape(positions.shape)

    def ids_and_states(self, positions: NDArray[np.int64]) -> list[tuple[str, str]]:
        """Return the id and state of each of some entries."""
        states = ["released" if self._released[position] else "added" for position in positions]
        return list(zip(self.ids(positions).tolist(), states, strict=True))

    def describe(self, positions: NDArray[np.int64]) -> list[Entry]:
        """Describe some entries, in their order."""
        metadata = self._metadata(positions)
        return [
            Entry(
                name,
                state,
                *self._layout.own(int(self._cells[position])),
                metadata.get(int(position)),
            )
            for position, (name, state) in zip(
                positions, self.ids_and_states(positions), strict=True
            )
        ]

    def _metadata(self, positions: NDArray[np.int64]) -> dict[int, Mapping[str, Any]]:
        described = [int(position) for position in positions if self._described[position]]
        if not described:
            return {}
        texts = self._table.take(described, ["metadata"]).column("metadata").to_pylist()
        return {p: json.loads(text) for p, text in zip(described, texts, strict=True)}


class ReadEntries:
    """Entries read from the table on demand; nothing is held in memory."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._layout = table.layout

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
                *self._layout.own(row["cell"]),
                json.loads(row["metadata"]) if row["metadata"] else None,
            )
            for row in rows
        ]

    def _rows(self, positions: NDArray[np.int64], columns: list[str]) -> list[dict[str, Any]]:
        if not len(positions):
            return []
        unique, inverse = np.unique(positions, return_inverse=True)
        rows = self._table.take(unique.tolist(), columns).to_pylist()
        return [rows[place] for place in inverse]
