"""The memory engine: a Faiss index built from stored cells and codes, without encoding again."""

import math
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook
from homing.errors import UsageError

Nearest = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Numbers of the nearest entries of each query, and their distances: (n, candidates) each.

Where there is no candidate, the number is -1 and the distance :data:`NO_DISTANCE`.
"""

NO_DISTANCE = np.finfo(np.float32).max  # as Faiss has it

_CELLS_A_PROBE = 64
_LEAST_PROBES = 4
_THOROUGH = 4  # times the automatic number of cells, where no hit is a copy


def automatic_probes(cell_count: int) -> int:
    """Return the default number of cells to visit: one in 64, at least four.

    Copies of released pictures need one. Pictures only added leave their cell under half of the
    edits, and one cell in 64 finds most of these at a small cost. Few cells hold few entries: to
    visit four costs microseconds.
    """
    wanted = max(_LEAST_PROBES, math.ceil(cell_count / _CELLS_A_PROBE))
    return min(wanted, cell_count)


def probe_stages(cell_count: int) -> tuple[int, ...]:
    """Return the numbers of cells to visit until a hit is a copy: one, some, many.

    A copy of a released picture is in the first cell, which saves nearly all of the time. The last
    stage visits four times the automatic number.
    """
    some = automatic_probes(cell_count)
    return tuple(sorted({1, some, min(_THOROUGH * some, cell_count)}))


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
