"""The lance engine: an archive's IVF_PQ index on disk or in an object store, and unindexed rows.

The index holds the stored cells and codes with the frozen centroids and code words: Lance visits
the cells that Faiss would and computes the same distances. Unindexed rows are searched by their
codes, in the same cells. The answers are the memory engine's, whatever is indexed.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook, Factory
from homing.errors import UsageError
from homing.search.engines.deadline import Deadline, Part, query_parts
from homing.search.engines.memory import (
    NO_DISTANCE,
    MemoryEngine,
    Nearest,
    keep_nearest,
    merge_nearest,
)

_AT_ONCE = 256  # queries in one call of Lance, which holds the results of all

Found = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""One row per candidate: number of the query, number of the entry, distance."""


INDEX_CODES = ("codebook", "rq", "sq")
"""Codes that an index may hold: the codebook's own, or Lance's of the stored vectors."""

_OTHERS = "an index of other codes can be made (--codes rq or sq)"


def reason_against(factory: Factory, codes: str = "codebook") -> str | None:
    """Return why Lance's index cannot hold such codes for a codebook; None if it can."""
    if factory.fine == "LSH":
        return f"Lance has no index of sign bits, which {factory} is made of"
    if factory.fine == "SQ8" and codes == "codebook":
        return (
            f"Lance scales all components of a vector alike, where {factory} has a frozen scale "
            f"for each; {_OTHERS}"
        )
    if factory.fine == "RaBitQ" and codes == "codebook":
        return f"Lance has RaBitQ codes of its own, not those of {factory}; {_OTHERS}"
    if factory.scan and codes == "codebook":
        return f"Lance has no fast scan of the codes of {factory}; {_OTHERS}"
    return None


@dataclass(frozen=True)
class Block:
    """Rows searched by themselves: an engine over their codes, and their numbers, (n,)."""

    engine: MemoryEngine
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.engine)

    def search(self, queries: NDArray[np.float32], *, candidates: int, probes: int) -> Nearest:
        """Find the rows whose codes are nearest, as :meth:`MemoryEngine.search`."""
        positions, distances = self.engine.search(queries, candidates=candidates, probes=probes)
        if not len(self.numbers):
            return positions, distances  # none of them is an entry
        return np.where(positions < 0, -1, self.numbers[positions]), distances


class LanceEngine:
    """Approximate search over the codes of an archive of `count` entries, where they are stored.

    Parts are segments of the index and blocks of unindexed rows, each entry in one of them.
    `together` holds all segments as one part, since Lance divides the work itself; `apart` has a
    part for each, for searches that leave out late ones. `accepts_partial` is as for
    :func:`query_parts`: False if the archive has changed.
    """

    def __init__(
        self,
        codebook: Codebook,
        count: int,
        together: Sequence[Part[Nearest]],
        apart: Sequence[Part[Nearest]],
        accepts_partial: Callable[[], bool] = lambda: True,
    ) -> None:
        self._codebook = codebook
        self._count = count
        self._together = tuple(together)
        self._apart = tuple(apart)
        self._accepts_partial = accepts_partial
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
        """Find the entries whose codes are nearest, as :meth:`MemoryEngine.search`.

        With a deadline, parts that are unreadable or late are left out and noted in it.
        """
        if probes < 1:
            raise UsageError(f"probes must be at least 1, not {probes}")
        wanted = max(1, min(candidates, len(self)))
        visited = min(probes, self._codebook.cell_count)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        parts = self._together if deadline is None else self._apart
        answers = query_parts(parts, (queries, wanted, visited), deadline, self._accepts_partial)
        if not answers:
            return _no_candidates(len(queries), wanted)
        return functools.reduce(functools.partial(merge_nearest, most=wanted), answers)


def indexed_part(
    entries: int, nearest: Callable[[NDArray[np.float32], int, int], Found], places: int = 1
) -> Part[Nearest]:
    """Make a part of one or more segments; `nearest` queries Lance for candidates and probes.

    An entry has at most so many `places`, each in another cell.
    """

    def search(queries: NDArray[np.float32], wanted: int, probes: int) -> Nearest:
        several = places > 1 and probes > 1
        asked = wanted * places if several else wanted
        positions, distances = _no_candidates(len(queries), asked)
        for first in range(0, len(queries), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            _fill_in(nearest(queries[part], asked, probes), positions[part], distances[part])
        if several:
            positions, distances = keep_nearest(positions, distances)
        return positions[:, :wanted], distances[:, :wanted]

    return Part(entries, search)


def unindexed_part(entries: int, block: Callable[[], Block]) -> Part[Nearest]:
    """Make a part of unindexed rows, which `block` returns when they are needed."""

    def search(queries: NDArray[np.float32], wanted: int, probes: int) -> Nearest:
        found, measured = block().search(queries, candidates=wanted, probes=probes)
        positions, distances = _no_candidates(len(queries), wanted)
        count = found.shape[1]  # a small block has fewer candidates than wanted
        positions[:, :count] = found
        distances[:, :count] = np.where(found < 0, NO_DISTANCE, measured)
        return positions, distances

    return Part(entries, search)


def _no_candidates(queries: int, wanted: int) -> Nearest:
    return (
        np.full((queries, wanted), -1, dtype=np.int64),
        np.full((queries, wanted), NO_DISTANCE, dtype=np.float32),
    )


def _fill_in(found: Found, positions: NDArray[np.int64], distances: NDArray[np.float32]) -> None:
    """Write Lance's one long list of candidates into the rows of its queries."""
    query, number, distance = found
    order = np.lexsort((number, distance, query))
    query = query[order]
    place = np.arange(len(query)) - np.searchsorted(query, query)
    wanted = place < positions.shape[1]
    positions[query[wanted], place[wanted]] = number[order][wanted]
    distances[query[wanted], place[wanted]] = distance[order][wanted]
