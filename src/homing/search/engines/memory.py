"""The memory engine: a Faiss index made from stored cells and codes; nothing is encoded again."""

import math
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook
from homing.errors import UsageError

_CELLS_A_PROBE = 64
_LEAST_PROBES = 4
_THOROUGH = 4  # times the automatic number of cells, where nothing sure was found


def automatic_probes(cell_count: int) -> int:
    """How many cells to visit when nobody says: one in 64, at least four.

    Copies of pictures that were released need one; pictures only added leave their cell under
    half of the edits, and one cell in 64 finds most of these again at a small cost. Where cells are
    few, so are entries: to look through four costs microseconds.
    """
    wanted = max(_LEAST_PROBES, math.ceil(cell_count / _CELLS_A_PROBE))
    return min(wanted, cell_count)


def probe_stages(cell_count: int) -> tuple[int, ...]:
    """How many cells to visit until there is a hit to be sure of: one, some, many.

    A copy of a released picture is in the first cell, and nearly all of the time is saved for it;
    what is nowhere is looked for in four times the automatic number.
    """
    some = automatic_probes(cell_count)
    return tuple(sorted({1, some, min(_THOROUGH * some, cell_count)}))


class MemoryEngine:
    """Approximate search over the codes of an archive, held in memory.

    Parameters
    ----------
    codebook : Codebook
        What the cells and codes were made with.
    cells : array (n,), int32
        Cell of every entry.
    codes : array (n, code_size), uint8
        Code of every entry.
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

    def search(
        self, queries: NDArray[np.float32], *, candidates: int, probes: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Entries whose codes are nearest.

        Parameters
        ----------
        queries : array (n, D), float32
            Descriptors.
        candidates : int
            How many entries a query.
        probes : int
            How many cells a query visits; at most all of them.

        Returns
        -------
        positions : array (n, candidates), int64
            Numbers of the entries, nearest first; −1 where the cells visited held no more.
        distances : array (n, candidates), float32
            Squared Euclidean distance to the decoded code (for LSH: differing bits).
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
