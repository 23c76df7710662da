"""What is told of entries that a search has found: held in memory, or read when it is wanted."""

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
    """What a hit says of its entry."""

    id: str
    state: str
    generation: int
    cell: int
    metadata: Mapping[str, Any] | None


class Entries(Protocol):
    """The entries of one version of a record, by their numbers in the order of the scan."""

    def ids(self, positions: NDArray[np.int64]) -> NDArray[np.object_]:
        """Ids, in the shape of the positions; None for the position −1."""

    def named(self, positions: NDArray[np.int64]) -> list[tuple[str, str]]:
        """Id and state of each of some entries."""

    def described(self, positions: NDArray[np.int64]) -> list[Entry]:
        """Describe some entries, in their order."""


class HeldEntries:
    """Entries whose ids, states and cells are in memory."""

    def __init__(self, table: Table, columns: Columns) -> None:
        self._table = table
        self._layout = table.generations
        self._ids = columns.ids
        self._cells = columns.cells
        self._released = columns.released
        self._described = columns.has_metadata

    def ids(self, positions: NDArray[np.int64]) -> NDArray[np.object_]:
        """Ids, in the shape of the positions; None for the position −1."""
        wanted = pa.array(positions.ravel(), mask=positions.ravel() < 0)
        names: NDArray[np.object_] = self._ids.take(wanted).to_numpy(zero_copy_only=False)
        return names.reshape(positions.shape)

    def named(self, positions: NDArray[np.int64]) -> list[tuple[str, str]]:
        """Id and state of each of some entries."""
        states = ["released" if self._released[position] else "added" for position in positions]
        return list(zip(self.ids(positions).tolist(), states, strict=True))

    def described(self, positions: NDArray[np.int64]) -> list[Entry]:
        """Describe some entries, in their order."""
        metadata = self._metadata(positions)
        return [
            Entry(
                name,
                state,
                *self._layout.split_cell(int(self._cells[position])),
                metadata.get(int(position)),
            )
            for position, (name, state) in zip(positions, self.named(positions), strict=True)
        ]

    def _metadata(self, positions: NDArray[np.int64]) -> dict[int, Mapping[str, Any]]:
        described = [int(position) for position in positions if self._described[position]]
        if not described:
            return {}
        texts = self._table.take(described, ["metadata"]).column("metadata").to_pylist()
        return {p: json.loads(text) for p, text in zip(described, texts, strict=True)}


class ReadEntries:
    """Entries read from the record when they are asked for; nothing is held."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._layout = table.generations

    def ids(self, positions: NDArray[np.int64]) -> NDArray[np.object_]:
        """Ids, in the shape of the positions; None for the position −1."""
        unique, inverse = np.unique(positions, return_inverse=True)
        there = unique[unique >= 0]
        names = np.full(len(unique), None, dtype=object)
        if len(there):
            names[unique >= 0] = self._table.take(there.tolist(), ["id"]).column("id").to_pylist()
        return names[inverse].reshape(positions.shape)

    def named(self, positions: NDArray[np.int64]) -> list[tuple[str, str]]:
        """Id and state of each of some entries."""
        rows = self._rows(positions, ["id", "state"])
        return [(row["id"], row["state"]) for row in rows]

    def described(self, positions: NDArray[np.int64]) -> list[Entry]:
        """Describe some entries, in their order."""
        rows = self._rows(positions, ["id", "state", "cell", "metadata"])
        return [
            Entry(
                row["id"],
                row["state"],
                *self._layout.split_cell(row["cell"]),
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
