"""An archive as searched: one version of its record, in memory as codes and ids."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.record import Record
from homing.archive.results import Hit
from homing.archive.vectors import StoredVectors
from homing.codebooks import Codebook
from homing.search import MemoryEngine, rank, similarities

__all__ = ["Matches", "Snapshot"]


@dataclass(frozen=True)
class Matches:
    """Entries found for each of n queries, most similar first, as arrays.

    Attributes
    ----------
    ids : array (n, k), object
        Ids of the entries; None where fewer than k were found.
    similarity : array (n, k), float32
        Cosine to the stored vector; −inf where nothing was found.
    code_distance : array (n, k), float32
        Distance to the entry's code.
    positions : array (n, k), int64
        Number of the entry in the snapshot; −1 where nothing was found.
    """

    ids: NDArray[np.object_]
    similarity: NDArray[np.float32]
    code_distance: NDArray[np.float32]
    positions: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the queries."""
        return len(self.positions)


class Snapshot:
    """One version of a record, ready to be searched."""

    def __init__(self, record: Record, codebook: Codebook) -> None:
        self._record = record
        self.version = record.version
        columns = _load(record, codebook.code_size)
        self._ids = columns.ids
        self._cells = columns.cells
        self._released = columns.released
        self._described = columns.described
        self._engine = MemoryEngine(codebook, columns.cells, columns.codes)
        self._vectors = StoredVectors(record, columns.addresses)

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._cells)

    def search(self, queries: NDArray[np.float32], *, k: int, probes: int, rerank: int) -> Matches:
        """Find the `k` nearest entries of each query.

        Parameters
        ----------
        queries : array (n, D), float32
            Unit descriptors.
        k : int
            How many entries.
        probes : int
            How many cells to visit.
        rerank : int
            How many of the nearest codes are ordered again by exact similarity; 0 keeps the order
            of the codes (the similarity is exact all the same).
        """
        positions, distances = self._engine.search(
            queries, candidates=max(k, rerank), probes=probes
        )
        if rerank == 0:
            positions, distances = positions[:, :k], distances[:, :k]
        similarity = similarities(queries, self._vectors.take(positions), positions)
        if rerank:
            order = rank(similarity, k)
            positions = np.take_along_axis(positions, order, axis=1)
            distances = np.take_along_axis(distances, order, axis=1)
            similarity = np.take_along_axis(similarity, order, axis=1)
        return Matches(self._name(positions), similarity, distances, positions)

    def _name(self, positions: NDArray[np.int64]) -> NDArray[np.object_]:
        wanted = pa.array(positions.ravel(), mask=positions.ravel() < 0)
        names: NDArray[np.object_] = self._ids.take(wanted).to_numpy(zero_copy_only=False)
        return names.reshape(positions.shape)

    def hits(self, matches: Matches, query: int) -> tuple[Hit, ...]:
        """Write out one query's matches, with what the manifest said of each."""
        count = int((matches.positions[query] >= 0).sum())
        positions = [int(position) for position in matches.positions[query, :count]]
        metadata = self._metadata(positions)
        return tuple(
            Hit(
                id=str(matches.ids[query, place]),
                similarity=float(matches.similarity[query, place]),
                view="whole",
                cell=int(self._cells[position]),
                code_distance=float(matches.code_distance[query, place]),
                state="released" if self._released[position] else "added",
                metadata=metadata.get(position),
            )
            for place, position in enumerate(positions)
        )

    def _metadata(self, positions: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        described = [position for position in positions if self._described[position]]
        if not described:
            return {}
        texts = self._record.take(described, ["metadata"]).column("metadata").to_pylist()
        return {p: json.loads(text) for p, text in zip(described, texts, strict=True)}


@dataclass(frozen=True)
class _Columns:
    ids: pa.Array
    cells: NDArray[np.int32]
    codes: NDArray[np.uint8]
    addresses: NDArray[np.uint64]
    released: NDArray[np.bool_]
    described: NDArray[np.bool_]


def _load(record: Record, code_size: int) -> _Columns:
    """Read what a search needs, batch by batch into arrays of the final size."""
    count = len(record)
    cells = np.empty(count, dtype=np.int32)
    codes = np.empty((count, code_size), dtype=np.uint8)
    addresses = np.empty(count, dtype=np.uint64)
    released = np.empty(count, dtype=bool)
    described = np.empty(count, dtype=bool)
    ids = []
    start = 0
    names = ["id", "state", "cell", "code", "metadata"]
    for batch in record.batches(names, addresses=True):
        part = slice(start, start + batch.num_rows)
        # Copied, because a batch's strings may be a view of a far larger buffer.
        ids.append(pa.concat_arrays([batch.column("id"), pa.array([], pa.string())]))
        cells[part] = batch.column("cell").to_numpy()
        codes[part] = _bytes_of(batch.column("code"), code_size)
        addresses[part] = batch.column("_rowaddr").to_numpy()
        released[part] = pa.compute.equal(batch.column("state"), "released").to_numpy(
            zero_copy_only=False
        )
        described[part] = batch.column("metadata").is_valid().to_numpy(zero_copy_only=False)
        start += batch.num_rows
    return _Columns(_joined(ids), cells, codes, addresses, released, described)


def _joined(parts: list[pa.Array]) -> pa.Array:
    """One array: to take from many chunks costs a search for each row."""
    return pa.concat_arrays(parts) if parts else pa.array([], pa.string())


def _bytes_of(column: pa.FixedSizeBinaryArray, width: int) -> NDArray[np.uint8]:
    buffer = column.buffers()[1]
    values = np.frombuffer(buffer, dtype=np.uint8)
    first = column.offset * width
    return values[first : first + len(column) * width].reshape(len(column), width)
