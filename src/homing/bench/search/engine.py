"""Search through a codebook, as an archive does it: cells visited, codes compared, the best ranked.

All queries of a state go through Faiss in large batches; nothing here loops over queries.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.statistics.measures import Places
from homing.codebooks import Codebook
from homing.search.engines.memory import MemoryEngine, automatic_probes
from homing.search.ranking import rank, similarities

CANDIDATES = 100
"""Entries a query that the codes bring; what is not among them is not found."""
RANKED = 64
"""The first of them, that exact similarity puts in order anew."""

_BLOCK = 1000  # queries at a time
_NOBODY = -2  # pads lists of right entries; -1 is Faiss's

Vectors = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Setting:
    """One way to search.

    Attributes
    ----------
    probes : int
        Cells visited; 0 stands for exact search, with no codebook at all.
    ranked : bool
        Whether exact similarity orders the best codes.
    name : str
    """

    probes: int
    ranked: bool
    name: str


EXACT = Setting(0, True, "exact")


def settings_of(codebook: Codebook, probes: Sequence[int] = (1, 0, 16)) -> tuple[Setting, ...]:
    """Say in which ways a codebook is searched.

    Parameters
    ----------
    codebook : Codebook
    probes : sequence of int
        0: automatic. More than there are cells is all of them; each number once.

    Returns
    -------
    tuple of Setting
        By codes alone and then re-ranked, for each number of probes; of a codebook without cells
        for all its codes.
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
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Answered:
    """What a search returned.

    Attributes
    ----------
    rows : ndarray, shape (n, c), int64
        Entries in falling order of score; -1 where there are no more.
    scores : ndarray, shape (n, c), float64
        Higher is better, comparable within a query; -inf where there is no entry.
    similarity : ndarray, shape (n, c), float32
        Exact similarity of those that were re-ranked; -inf of others.
    """

    rows: Rows
    scores: Floats
    similarity: Vectors

    def places(self, right: Rows) -> Places:
        """Where the best right entry stands among those returned.

        Parameters
        ----------
        right : ndarray, shape (n, w), int64
            Right entries of each query, as :func:`padded` gives them.

        Returns
        -------
        Places
        """
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


def padded(right: Sequence[Rows]) -> Rows:
    """Lists of right entries, the first being the picture itself, as one array, (n, w)."""
    width = max((len(rows) for rows in right), default=1)
    found = np.full((len(right), width), _NOBODY, np.int64)
    for query, rows in enumerate(right):
        found[query, : len(rows)] = rows
    return found


class Searcher:
    """A codebook, and what it makes of the entries that all states share.

    Parameters
    ----------
    codebook : Codebook
    others : ndarray, shape (m, d), float32
        Distractors.
    """

    def __init__(self, codebook: Codebook, others: Vectors) -> None:
        self.codebook = codebook
        self._cells, self._codes = codebook.encode_with_cells(others)
        self._halves = others.astype(np.float16)

    def engine(self, entries: Vectors, seed: int) -> "Engine":
        """Make an engine of some entries and, after them, the others.

        Parameters
        ----------
        entries : ndarray, shape (n, d), float32
        seed : int
            Of the order in which Faiss holds them: among equal codes the first wins, and the
            pictures searched for must not always be that.
        """
        cells, codes = self.codebook.encode_with_cells(entries)
        cells, codes = np.concatenate([cells, self._cells]), np.concatenate([codes, self._codes])
        halves = np.concatenate([entries.astype(np.float16), self._halves])
        order = np.random.default_rng(seed).permutation(len(halves))
        memory = MemoryEngine(self.codebook, cells[order], codes[order])
        return Engine(self.codebook, cells[:, None], halves, memory, order)


class Engine:
    """One base, searched through its codebook.

    Parameters
    ----------
    codebook : Codebook
    cells : ndarray, shape (n, several), int32
        Those that hold an entry.
    halves : ndarray, shape (n, d), float16
    memory : MemoryEngine
        What is searched.
    owners : ndarray, int64
        The entry that each row of it stands for.
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
        self._halves, self._memory, self._owners = halves, memory, owners

    def search(self, queries: Vectors, setting: Setting) -> Answered:
        """Search for all queries.

        Parameters
        ----------
        queries : ndarray, shape (n, d), float32
        setting : Setting
            Not the exact one.
        """
        parts = list(self._blocks(queries, setting))
        if not parts:
            nothing = np.empty((0, CANDIDATES))
            return Answered(nothing.astype(np.int64), nothing, nothing.astype(np.float32))
        return Answered(*(np.concatenate(each) for each in zip(*parts, strict=True)))

    def _blocks(self, queries: Vectors, setting: Setting) -> Iterator[tuple[Rows, Floats, Vectors]]:
        for first in range(0, len(queries), _BLOCK):
            block = np.ascontiguousarray(queries[first : first + _BLOCK])
            found, distances = self._memory.search(
                block, candidates=CANDIDATES, probes=setting.probes
            )
            rows = np.where(found < 0, -1, self._owners[np.maximum(found, 0)])
            scores = np.where(found < 0, -np.inf, -distances.astype(np.float64))
            exact = np.full(rows.shape, -np.inf, np.float32)
            if setting.ranked:
                self._rank(block, rows, scores, exact)
            yield rows, scores, exact

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
