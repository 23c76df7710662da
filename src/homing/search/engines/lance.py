"""The lance engine: an archive's own IVF_PQ index on disk or in an object store, and what is new.

The index holds the archive's stored cells and codes with its frozen centroids and code words, so
Lance visits the cells that Faiss would and computes the same distances. Rows that it does not cover
yet are searched exhaustively by their codes, in the same cells: the answers are the memory engine's
whatever part of an archive is indexed.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook, Factory
from homing.errors import UsageError
from homing.search.engines.deadline import Deadline, Part, answers
from homing.search.engines.memory import MemoryEngine

_NOTHING = np.finfo(np.float32).max  # Faiss's distance where there is no candidate
_AT_ONCE = 256  # queries that Lance is asked together: it holds the results of all

Nearest = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Numbers of the nearest entries of each query, and their distances."""

Ask = Callable[
    [NDArray[np.float32], int, int],
    tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
]


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

    It consists of segments of an index, and of blocks of what no segment covers. Lance divides the
    work on several segments by itself; only where not all may answer, each is asked apart.

    Parameters
    ----------
    codebook : Codebook
        What the cells and codes were made with.
    count : int
        How many entries the archive has.
    together, apart : sequence of Part
        Made by :func:`indexed` and :func:`unindexed`, with each entry in one of them: all segments
        as one part, and each by itself.
    worth_it : callable
        Whether an answer without a part that cannot be read is of use; False where the archive has
        changed, so that all is to be asked again.
    """

    def __init__(
        self,
        codebook: Codebook,
        count: int,
        together: Sequence[Part[Nearest]],
        apart: Sequence[Part[Nearest]],
        worth_it: Callable[[], bool] = lambda: True,
    ) -> None:
        self._codebook = codebook
        self._count = count
        self._together = tuple(together)
        self._apart = tuple(apart)
        self._worth_it = worth_it
        self.dimension = codebook.dimension

    def __len__(self) -> int:
        """Count the entries."""
        return self._count

    def search(
        self,
        queries: NDArray[np.float32],
        *,
        candidates: int,
        probes: int,
        deadline: Deadline | None = None,
    ) -> Nearest:
        """Entries whose codes are nearest; as :meth:`MemoryEngine.search`.

        Parameters
        ----------
        queries, candidates, probes
            As for :meth:`MemoryEngine.search`.
        deadline : Deadline or None
            If given, parts that cannot be read or do not answer in time are left out, and noted
            there.
        """
        if probes < 1:
            raise UsageError(f"probes must be at least 1, not {probes}")
        wanted = max(1, min(candidates, len(self)))
        visited = min(probes, self._codebook.cell_count)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        parts = self._together if deadline is None else self._apart
        found = answers(parts, (queries, wanted, visited), deadline, self._worth_it)
        if not found:
            return _nothing(len(queries), wanted)
        return functools.reduce(_merged, found)


def indexed(entries: int, ask: Ask) -> Part[Nearest]:
    """Make a segment of the index, or several, a part.

    Parameters
    ----------
    entries : int
        Covered by it.
    ask : callable
        Asks Lance: given queries, a number of candidates and one of cells, it returns for
        each candidate found the query's number, the entry's number and the distance.
    """

    def nearest(queries: NDArray[np.float32], wanted: int, probes: int) -> Nearest:
        positions, distances = _nothing(len(queries), wanted)
        for first in range(0, len(queries), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            _spread(ask(queries[part], wanted, probes), positions[part], distances[part])
        return positions, distances

    return Part(entries, nearest)


def unindexed(entries: int, block: Callable[[], Block]) -> Part[Nearest]:
    """Make rows that no index covers a part; they are given when called for."""

    def nearest(queries: NDArray[np.float32], wanted: int, probes: int) -> Nearest:
        return _padded(_within(block(), queries, wanted, probes), wanted)

    return Part(entries, nearest)


def _nothing(queries: int, wanted: int) -> Nearest:
    return (
        np.full((queries, wanted), -1, dtype=np.int64),
        np.full((queries, wanted), _NOTHING, dtype=np.float32),
    )


def _padded(found: Nearest, wanted: int) -> Nearest:
    """The same for so many candidates, of which a small block has not so many."""
    positions, distances = _nothing(len(found[0]), wanted)
    count = found[0].shape[1]
    positions[:, :count], distances[:, :count] = found
    return positions, distances


def _spread(
    found: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]],
    positions: NDArray[np.int64],
    distances: NDArray[np.float32],
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


def _merged(first: Nearest, second: Nearest) -> Nearest:
    """The nearest of two lists for each query."""
    positions = np.concatenate([first[0], second[0]], axis=1)
    distances = np.concatenate([first[1], second[1]], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")[:, : first[0].shape[1]]
    return np.take_along_axis(positions, order, axis=1), np.take_along_axis(
        distances, order, axis=1
    )
