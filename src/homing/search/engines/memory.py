"""The memory engine: a Faiss index built from stored cells and codes, without encoding again."""

import math
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook
from homing.codebooks.near_cells import FurtherPlaces
from homing.errors import UsageError

Nearest = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Numbers of the nearest entries, and distances, (n, candidates); -1 and NO_DISTANCE for none."""

NO_DISTANCE = np.finfo(np.float32).max  # as Faiss has it

_CELLS_A_PROBE = 64
_LEAST_PROBES = 4
_WIDE, _THOROUGH = 2, 4  # times the automatic number of cells, where no hit is likely a copy


def automatic_probes(cell_count: int) -> int:
    """Return the default number of cells to visit: one in 64, at least four.

    Copies of released pictures need one. Pictures only added leave their cell under half of the
    edits; one cell in 64 finds most of these, and four cost microseconds.
    """
    wanted = max(_LEAST_PROBES, math.ceil(cell_count / _CELLS_A_PROBE))
    return min(wanted, cell_count)


def wide_probes(cell_count: int) -> int:
    """Return the number of cells to visit where those near the query bring no likely copy."""
    return min(_WIDE * automatic_probes(cell_count), cell_count)


def thorough_probes(cell_count: int) -> int:
    """Return the number of cells to visit where nothing else brings a likely copy."""
    return min(_THOROUGH * automatic_probes(cell_count), cell_count)


def visit(
    search: Callable[[NDArray[np.float32], int], Nearest],
    queries: NDArray[np.float32],
    visited: NDArray[np.int64],
) -> Nearest:
    """Search for queries, (n, D), each in its own number of cells, (n,), at least 1.

    `search` takes queries and the number of cells that all of them visit.
    """
    numbers = np.unique(visited).tolist()
    if len(numbers) < 2:
        return search(queries, numbers[0] if numbers else 1)
    parts = [np.flatnonzero(visited == number) for number in numbers]
    found = [search(queries[part], number) for part, number in zip(parts, numbers, strict=True)]
    order = np.argsort(np.concatenate(parts))
    positions, distances = (np.concatenate(arrays)[order] for arrays in zip(*found, strict=True))
    return positions, distances


def merge_nearest(first: Nearest, second: Nearest, most: int | None = None) -> Nearest:
    """Merge two lists of candidates of each query, nearest first, at most `most`."""
    positions = np.concatenate([first[0], second[0]], axis=1)
    distances = np.concatenate([first[1], second[1]], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, :most]
    positions = np.take_along_axis(positions, order, axis=1)
    return positions, np.take_along_axis(distances, order, axis=1)


def keep_nearest(positions: NDArray[np.int64], distances: NDArray[np.float32]) -> Nearest:
    """Keep the nearest place of each entry, where it was found in several; rows nearest first."""
    order = np.argsort(positions, axis=1, kind="stable")
    ordered = np.take_along_axis(positions, order, axis=1)
    again = np.zeros(positions.shape, dtype=bool)
    again[:, 1:] = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    repeated = np.empty_like(again)
    np.put_along_axis(repeated, order, again, axis=1)
    positions = np.where(repeated, -1, positions)
    distances = np.where(repeated, NO_DISTANCE, distances)
    order = np.argsort(positions < 0, axis=1, kind="stable")
    return np.take_along_axis(positions, order, 1), np.take_along_axis(distances, order, 1)


class MemoryEngine:
    """Approximate search over the codes of an archive, held in memory.

    `cells` is (n,) int32 and `codes` (n, code_size) uint8, both made by `codebook`; `further`
    places are held beside them.
    """

    def __init__(
        self,
        codebook: Codebook,
        cells: NDArray[np.int32],
        codes: NDArray[np.uint8],
        further: FurtherPlaces | None = None,
    ) -> None:
        self._count, self._places = len(codes), 1
        self._owners: NDArray[np.int64] | None = None
        if further is not None and len(further.owners):
            self._owners = np.concatenate([np.arange(len(codes)), further.owners])
            self._places = int(np.bincount(further.owners).max()) + 1
            cells = np.concatenate([cells, further.cells])
            codes = np.concatenate([codes, further.codes])
        self._index = codebook.index(cells, codes)
        self._cell_count = codebook.cell_count
        self._by_product = codebook.factory.metric == "IP"
        self.dimension = codebook.dimension

    def __len__(self) -> int:
        """Count the entries."""
        return self._count

    def search(self, queries: NDArray[np.float32], *, candidates: int, probes: int) -> Nearest:
        """Find the entries whose codes are nearest, nearest first, each once.

        `queries` is (n, D); each visits `probes` cells, at most all. Distances are squared
        Euclidean distances to the decoded codes y (for LSH: differing bits; by inner product:
        2 − 2 x·y, the same for a decoded code of unit length).
        """
        if probes < 1:
            raise UsageError(f"probes must be at least 1, not {probes}")
        wanted = max(1, min(candidates, len(self)))
        distances, positions = self._index.search(
            np.ascontiguousarray(queries, dtype=np.float32),
            wanted * self._places if probes > 1 else wanted,  # the places of an entry are apart
            params=self._parameters(min(probes, self._cell_count)),
        )
        if self._by_product:
            none = positions < 0
            distances = np.where(none, NO_DISTANCE, 2 - 2 * np.where(none, 0, distances))
        if self._owners is None:
            return positions, distances
        positions = np.where(positions < 0, -1, self._owners[positions])
        if probes > 1:
            positions, distances = keep_nearest(positions, distances)
        return positions[:, :wanted], distances[:, :wanted]

    def _parameters(self, probes: int) -> Any:
        if self._cell_count == 1:
            return None
        inner = faiss.SearchParametersIVF(nprobe=probes)  # type: ignore[call-arg]
        if isinstance(self._index, faiss.IndexPreTransform):
            return faiss.SearchParametersPreTransform(index_params=inner)  # type: ignore[call-arg]
        return inner
