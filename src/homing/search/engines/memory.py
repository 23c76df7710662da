"""The memory engine: a Faiss index built from stored cells and codes, without encoding again."""

import math
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook
from homing.errors import UsageError

Nearest = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Numbers of the nearest entries, and distances, (n, candidates); -1 and NO_DISTANCE for none."""

NO_DISTANCE = np.finfo(np.float32).max  # as Faiss has it

_CELLS_A_PROBE = 64
_LEAST_PROBES = 4
_THOROUGH = 4  # times the automatic number of cells, where no hit is a copy


def automatic_probes(cell_count: int) -> int:
    """Return the default number of cells to visit: one in 64, at least four.

    Copies of released pictures need one. Pictures only added leave their cell under half of the
    edits; one cell in 64 finds most of these, and four cost microseconds.
    """
    wanted = max(_LEAST_PROBES, math.ceil(cell_count / _CELLS_A_PROBE))
    return min(wanted, cell_count)


def thorough_probes(cell_count: int) -> int:
    """Return the number of cells to visit where the automatic number brings no copy."""
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


class MemoryEngine:
    """Approximate search over the codes of an archive, held in memory.

    `cells` is (n,) int32 and `codes` (n, code_size) uint8, both made by `codebook`.
    """

    def __init__(
        self, codebook: Codebook, cells: NDArray[np.int32], codes: NDArray[np.uint8]
    ) -> None:
        self._index = codebook.index(cells, codes)
        self._cell_count = codebook.cell_count
        self.dimension = codebook.dimension

    def __len__(self) -> int:
        """Count the entries."""
        return int(self._index.ntotal)

    def search(self, queries: NDArray[np.float32], *, candidates: int, probes: int) -> Nearest:
        """Find the entries whose codes are nearest, nearest first.

        `queries` is (n, D); each visits `probes` cells, at most all. Distances are squared
        Euclidean distances to the decoded codes (for LSH: differing bits).
        """
        if probes < 1:
            raise UsageError(f"probes must be at least 1, not {probes}")
        wanted = max(1, min(candidates, len(self)))
        distances, positions = self._index.search(
            np.ascontiguousarray(queries, dtype=np.float32),
            wanted,
            params=self._parameters(min(probes, self._cell_count)),
        )
        return positions, distances

    def _parameters(self, probes: int) -> Any:
        if self._cell_count == 1:
            return None
        inner = faiss.SearchParametersIVF(nprobe=probes)  # type: ignore[call-arg]
        if isinstance(self._index, faiss.IndexPreTransform):
            return faiss.SearchParametersPreTransform(index_params=inner)  # type: ignore[call-arg]
        return inner
