"""Search through a codebook, as an archive does it: cells visited, codes compared, the best ranked.

All queries of a state go through Faiss in large batches; no loop here runs over queries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.statistics.measures import Places
from homing.codebooks import Codebook
from homing.codebooks.near_cells import FurtherPlaces
from homing.search.engines.combined import NEAR, CombinedEngine, Near
from homing.search.engines.memory import MemoryEngine, automatic_probes
from homing.search.ranking import rank, similarities

CANDIDATES = 100
"""Entries per query that the codes bring; others are not found."""
RANKED = 64
"""The first of them, which exact similarity reorders."""

_BLOCK = 1000  # queries at a time

Vectors = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """One way to search."""

    probes: int | Near  # cells visited; 0: exact search without a codebook
    ranked: bool  # exact similarity orders the best codes
    name: str


EXACT = Setting(0, True, "exact")
NEAR_CELLS = Setting(NEAR, True, "near cells, re-ranked")


def search_settings(
    codebook: Codebook, probes: Sequence[int] = (1, 0, 16), *, near: bool = False
) -> tuple[Setting, ...]:
    """Return the ways to search a codebook: each number of probes, by codes alone and re-ranked.

    0 probes stand for automatic; more than there are cells are all of them; each number counts
    once. `near`: also the cells near each query. A codebook without cells is searched by all its
    codes.
    """
    cells = codebook.cell_count
    automatic = automatic_probes(cells)
    numbers = dict.fromkeys(min(number or automatic, cells) for number in probes)
    found = []
    for number in numbers:
        name = f"{number} probe{'s' if number > 1 else ''}" if cells > 1 else "all codes"
        if cells > 1 and number == automatic and 0 in probes:
            name += " (automatic)"
        found += [Setting(number, False, name), Setting(number, True, f"{name}, re-ranked")]
    return (*found, NEAR_CELLS) if near and cells > 1 else tuple(found)


@dataclass(frozen=True, eq=False)
class Hits:
    """Entries that a search returned, in falling order of score; arrays (n, c)."""

    rows: Rows  # -1 where there are no more
    scores: Floats  # comparable within a query; -inf where there is no entry
    similarity: Vectors  # exact, of re-ranked entries; -inf of others
    visited: Rows  # (n,), cells that each query visited

    def places(self, right: Rows) -> Places:
        """Locate the best right entry among the hits; `right` is (n, w), as `pad_rows` gives it."""
        same = np.zeros(self.rows.shape, bool)
        for column in right.T:
            same |= self.rows == column[:, None]
        best = np.where(same, self.scores, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        equal = (self.scores == best) & np.isfinite(best)
        return Places(
            np.count_nonzero(self.scores > best, axis=1),
            np.count_nonzero(equal, axis=1),
            np.count_nonzero(equal & same, axis=1),
        )


class Searcher:
    """A codebook, with the codes of the distractors, (m, d), that all states share."""

    def __init__(self, codebook: Codebook, others: Vectors) -> None:
        self.codebook = codebook
        self._others = others
        self._cells, self._codes = codebook.encode_with_cells(others)
        self._halves = others.astype(np.float16)

    def engine(self, entries: Vectors, seed: int, places: int = 1) -> "Engine":
        """Build an engine of some entries, (n, d), followed by the distractors.

        The seed shuffles the order in which Faiss holds them: among equal codes the first wins,
        which must not always be the pictures searched for. All are held in their nearest `places`
        cells, as released pictures are.
        """
        codebook = self.codebook
        cells, codes = codebook.encode_with_cells(entries)
        cells, codes = np.concatenate([cells, self._cells]), np.concatenate([codes, self._codes])
        halves = np.concatenate([entries.astype(np.float16), self._halves])
        order = np.random.default_rng(seed).permutation(len(halves))
        near, further = cells[:, None], None
        if places > 1:
            vectors = np.concatenate([entries, self._others])
            near = codebook.nearest_cells(vectors, places)
            again = np.repeat(np.arange(len(near)), near.shape[1] - 1)
            others = near[:, 1:].ravel()
            held = codebook.encode(vectors[again], others)
            further = FurtherPlaces(np.argsort(order)[again], others, held)
        memory = MemoryEngine(codebook, cells[order], codes[order], further)
        return Engine(codebook, near, halves, memory, order)


class Engine:
    """One base, searched through its codebook.

    `cells`, (n, several) int32, are those that hold an entry, and `halves`, (n, d) float16, its
    vector; `owners` maps rows of `memory` to entries.
    """

    def __init__(
        self,
        codebook: Codebook,
        cells: npt.NDArray[np.int32],
        halves: Halves,
        memory: MemoryEngine,
        owners: Rows,
    ) -> None:
        self.codebook, self.cells = codebook, cells
        self._halves, self._owners = halves, owners
        self._searched = CombinedEngine([codebook], [memory])

    def search(self, queries: Vectors, setting: Setting) -> Hits:
        """Search for all queries, (n, d), in any setting but the exact one."""
        parts = list(self._blocks(queries, setting))
        if not parts:
            nothing, none = np.empty((0, CANDIDATES)), np.empty(0, np.int64)
            return Hits(nothing.astype(np.int64), nothing, nothing.astype(np.float32), none)
        return Hits(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _blocks(
        self, queries: Vectors, setting: Setting
    ) -> Iterator[tuple[Rows, Floats, Vectors, Rows]]:
        for first in range(0, len(queries), _BLOCK):
            block = np.ascontiguousarray(queries[first : first + _BLOCK])
            visited = self._searched.visited(block, setting.probes)
            found, distances = self._searched.search(block, candidates=CANDIDATES, visited=visited)
            rows = np.where(found < 0, -1, self._owners[np.maximum(found, 0)])
            scores = np.where(found < 0, -np.inf, -distances.astype(np.float64))
            exact = np.full(rows.shape, -np.inf, np.float32)
            if setting.ranked:
                self._rank(block, rows, scores, exact)
            yield rows, scores, exact, visited.sum(axis=1)

    def _rank(self, queries: Vectors, rows: Rows, scores: Floats, exact: Vectors) -> None:
        """Put the first candidates in order by exact similarity, before all others."""
        best = rows[:, :RANKED]
        near = similarities(queries, self._halves[np.maximum(best, 0)], best)
        order = rank(near, RANKED)
        rows[:, :RANKED] = np.take_along_axis(best, order, axis=1)
        near = np.take_along_axis(near, order, axis=1)
        exact[:, :RANKED] = near
        scores[:, RANKED:] -= 2  # a cosine is never less than -1, minus a distance never above 0
        scores[:, :RANKED] = near
