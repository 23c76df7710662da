"""The combined engine: the entries of several codebook generations, ranked together.

Each generation is searched by its own engine, in as many cells as a search of it alone would visit;
then the candidates of all are ordered by their distances to codes. These are squared Euclidean
distances of unit vectors whatever the codebook; rotations in front of a quantizer keep them. Only
sign codes (LSH) have another unit: in an archive of several generations, h differing bits of b
count as the squared distance of the angle that they stand for,

    2 − 2 cos(π h / b)

as random hyperplanes separate two vectors with a probability that is their angle over π [1]_.

References
----------
.. [1] M. Charikar. "Similarity Estimation Techniques from Rounding Algorithms". STOC 2002.
"""

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook
from homing.search.engines.deadline import Deadline
from homing.search.engines.lance import Block, LanceEngine
from homing.search.engines.memory import (
    NO_DISTANCE,
    MemoryEngine,
    Nearest,
    automatic_probes,
    merge_nearest,
    probe_stages,
)

Probes = tuple[int, ...]
"""Number of cells to visit in each generation."""

SEARCHED_WHOLE = 20_000
"""Number of entries below which automatic probes visit every cell.

Of 256 cells and fewer that costs .1 ms, of 1,024 .5 ms, where a picture is described in 20."""


class CombinedEngine:
    """Approximate search over the codes of an archive, generation by generation.

    `parts` holds one engine or block for each codebook. An engine returns the numbers of entries in
    the archive; a block maps its own to them.
    """

    def __init__(
        self, codebooks: Sequence[Codebook], parts: Sequence[MemoryEngine | LanceEngine | Block]
    ) -> None:
        self._codebooks = tuple(codebooks)
        self._parts = tuple(parts)

    def __len__(self) -> int:
        """Count the entries."""
        return sum(len(part) for part in self._parts)

    @property
    def has_several_generations(self) -> bool:
        """True if there is more than one generation."""
        return len(self._parts) > 1

    def probes_by_generation(self, probes: int | None) -> Probes:
        """Return the cells to visit in each generation: `probes`, or the automatic number."""
        if probes is not None:
            return (probes,) * len(self._codebooks)
        if len(self) < SEARCHED_WHOLE:
            return self._all_cells()
        return tuple(automatic_probes(codebook.cell_count) for codebook in self._codebooks)

    def probe_stages(self) -> tuple[Probes, ...]:
        """Return the cells to visit in each generation, stage by stage, until a hit is a copy.

        A generation of fewer stages repeats its last one. Few entries are searched whole at once.
        """
        if len(self) < SEARCHED_WHOLE:
            return (self._all_cells(),)
        stages = [probe_stages(codebook.cell_count) for codebook in self._codebooks]
        longest = max(map(len, stages))
        return tuple(
            tuple(each[min(number, len(each) - 1)] for each in stages) for number in range(longest)
        )

    def count_cells(self, probes: Probes | None = None) -> int:
        """Count the cells that so many probes visit, or all, over all generations."""
        cells = self._all_cells()
        return sum(cells if probes is None else map(min, cells, probes))

    def _all_cells(self) -> Probes:
        return tuple(codebook.cell_count for codebook in self._codebooks)

    def search(
        self,
        queries: NDArray[np.float32],
        *,
        candidates: int,
        probes: Probes,
        deadline: Deadline | None = None,
    ) -> Nearest:
        """Find the entries of each generation whose codes are nearest, nearest first.

        `queries` is (n, D); the result has `candidates` columns for each generation. A deadline is
        for :class:`LanceEngine`; parts in memory always answer.
        """
        found = [
            _search_part(part, queries, candidates, visited, deadline)
            for part, visited in zip(self._parts, probes, strict=True)
        ]
        if len(found) == 1:
            return found[0]
        squared = [
            (numbers, np.where(numbers < 0, NO_DISTANCE, _squared_distances(codebook, measured)))
            for codebook, (numbers, measured) in zip(self._codebooks, found, strict=True)
        ]
        return functools.reduce(merge_nearest, squared)


def _search_part(
    part: MemoryEngine | LanceEngine | Block,
    queries: NDArray[np.float32],
    candidates: int,
    probes: int,
    deadline: Deadline | None,
) -> Nearest:
    if isinstance(part, LanceEngine):
        return part.search(queries, candidates=candidates, probes=probes, deadline=deadline)
    return part.search(queries, candidates=candidates, probes=probes)


def _squared_distances(codebook: Codebook, distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return distances to codes as squared Euclidean ones."""
    if codebook.factory.fine != "LSH":
        return distances
    bits = codebook.factory.inner_dimension(codebook.dimension)
    angles = np.pi / bits * np.minimum(distances, bits)
    return (2 - 2 * np.cos(angles)).astype(np.float32)
