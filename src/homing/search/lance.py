"""The lance engine: an archive's own IVF_PQ index on disk or in an object store, and what is new.

The index holds the archive's stored cells and codes with its frozen centroids and code words, so
Lance visits the cells that Faiss would and computes the same distances. Rows that it does not cover
yet are searched exhaustively by their codes, in the same cells: the answers are the memory engine's
whatever part of an archive is indexed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook, Factory
from homing.errors import UsageError
from homing.search.memory import MemoryEngine

__all__ = ["Block", "LanceEngine", "reason_against"]

_NOTHING = np.finfo(np.float32).max  # Faiss's distance where there is no candidate
_AT_ONCE = 256  # queries that Lance is asked together: it holds the results of all


def reason_against(factory: Factory) -> str | None:
    """Why Lance's index cannot hold a codebook of this kind; None if it can."""
    if factory.fine == "LSH":
        return f"Lance has no index of sign bits, which {factory} is made of"
    if factory.fine == "SQ8":
        return (
            f"Lance scales all components of a vector alike, where {factory} has a frozen scale "
            "for each"
        )
    return None


@dataclass(frozen=True)
class Block:
    """Rows that no index covers.

    Attributes
    ----------
    engine : MemoryEngine
        Over their codes.
    numbers : array (n,), int64
        Their numbers in the archive.
    """

    engine: MemoryEngine
    numbers: NDArray[np.int64]


class LanceEngine:
    """Approximate search over the codes of an archive, which stay where they are.

    Parameters
    ----------
    codebook : Codebook
        What the cells and codes were made with.
    count : int
        How many entries the archive has.
    ask : callable or None
        Asks Lance: given queries, a number of candidates and one of cells, it returns for
        each candidate found the query's number, the entry's number and the distance. None where
        nothing is indexed.
    blocks : sequence of callables
        What is not indexed; each gives its rows when called.
    """

    def __init__(
        self,
        codebook: Codebook,
        count: int,
        ask: Callable[[NDArray[np.float32], int, int], tuple[Any, Any, Any]] | None,
        blocks: Sequence[Callable[[], Block]],
    ) -> None:
        self._codebook = codebook
        self._count = count
        self._ask = ask
        self._blocks = blocks
        self.dimension = codebook.dimension

    def __len__(self) -> int:
        """Count the entries."""
        return self._count

    def search(
        self, queries: NDArray[np.float32], *, candidates: int, probes: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Entries whose codes are nearest; as :meth:`MemoryEngine.search`."""
        if probes < 1:
            raise UsageError(f"probes must be at least 1, not {probes}")
        wanted = max(1, min(candidates, len(self)))
        visited = min(probes, self._codebook.cell_count)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        positions = np.full((len(queries), wanted), -1, dtype=np.int64)
        distances = np.full((len(queries), wanted), _NOTHING, dtype=np.float32)
        if self._ask is not None:
            for first in range(0, len(queries), _AT_ONCE):
                part = slice(first, first + _AT_ONCE)
                _spread(self._ask(queries[part], wanted, visited), positions[part], distances[part])
        for block in self._blocks:
            positions, distances = _merged(
                positions, distances, *_within(block(), queries, wanted, visited)
            )
        return positions, distances


def _spread(
    found: tuple[Any, Any, Any], positions: NDArray[np.int64], distances: NDArray[np.float32]
) -> None:
    """Put what Lance found, in one long list, in the rows of its queries."""
    query, number, distance = found
    order = np.lexsort((number, distance, query))
    query = query[order]
    place = np.arange(len(query)) - np.searchsorted(query, query)
    kept = place < positions.shape[1]
    positions[query[kept], place[kept]] = number[order][kept]
    distances[query[kept], place[kept]] = distance[order][kept]


def _within(
    block: Block, queries: NDArray[np.float32], wanted: int, probes: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    positions, distances = block.engine.search(queries, candidates=wanted, probes=probes)
    there = positions >= 0
    numbers = np.where(there, block.numbers[np.maximum(positions, 0)], -1)
    return numbers, np.where(there, distances, _NOTHING)


def _merged(
    positions: NDArray[np.int64],
    distances: NDArray[np.float32],
    others: NDArray[np.int64],
    their_distances: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest of two lists for each query."""
    both = np.concatenate([positions, others], axis=1)
    all_distances = np.concatenate([distances, their_distances], axis=1)
    order = np.argsort(all_distances, axis=1, kind="stable")[:, : positions.shape[1]]
    return np.take_along_axis(both, order, axis=1), np.take_along_axis(all_distances, order, axis=1)
