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
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook
from homing.errors import UsageError
from homing.search.engines.deadline import Deadline
from homing.search.engines.lance import Block, LanceEngine
from homing.search.engines.memory import (
    NO_DISTANCE,
    MemoryEngine,
    Nearest,
    automatic_probes,
    merge_nearest,
    thorough_probes,
    visit,
    wide_probes,
)


@dataclass(frozen=True)
class Near:
    """The cells nearly as near to a query as the nearest, at most the automatic number.

    `margin` is that of :meth:`homing.Codebook.count_near_cells`.
    """

    margin: float


NEAR = Near(0.25)
"""The cells that a search visits by default where nothing tells whether it has found enough."""

Probes: TypeAlias = int | tuple[int, ...] | Near
"""Cells to visit: so many in each generation, each generation's number, or those near a query."""


@dataclass(frozen=True)
class Stage:
    """Cells to visit, and what then ends the search.

    It ends with a hit that is a copy, or whose false-alarm rate is at most `enough`. The further a
    stage goes, the more the next one costs and the less it finds.
    """

    probes: Probes
    enough: float = 0.0


NEAR_STAGES = (Stage(1), Stage(Near(0.2)), Stage(Near(0.5), enough=0.03))
"""Stages of a search for copies of released pictures.

Seven in eight are copies for sure after the first cell. The margins, and the rates that are enough,
were chosen by `benchmarks/near_cells.py`."""

_THOROUGH_ENOUGH = 0.2

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

    @property
    def cell_count(self) -> int:
        """Number of cells over all generations."""
        return sum(self._all_cells())

    def automatic_probes(self) -> Probes:
        """Return the default number of cells to visit in each generation."""
        if len(self) < SEARCHED_WHOLE:
            return self._all_cells()
        return tuple(map(automatic_probes, self._all_cells()))

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages of a search that is to find copies of any picture.

        Few entries are searched whole at once.
        """
        cells = self._all_cells()
        if len(self) < SEARCHED_WHOLE:
            return (Stage(cells),)
        wide, thorough = tuple(map(wide_probes, cells)), tuple(map(thorough_probes, cells))
        last = (Stage(wide, _THOROUGH_ENOUGH),) if wide != thorough else ()
        return (*NEAR_STAGES, *last, Stage(thorough))

    def visited(self, queries: NDArray[np.float32], probes: Probes) -> NDArray[np.int64]:
        """Return the number of cells that each query, (n, D), visits in each generation, (n, g)."""
        if isinstance(probes, Near):
            near = [
                book.count_near_cells(queries, probes.margin, automatic_probes(book.cell_count))
                for book in self._codebooks
            ]
            return np.stack(near, axis=1)
        numbers = (probes,) * len(self._codebooks) if isinstance(probes, int) else probes
        if min(numbers) < 1:
            raise UsageError(f"probes must be at least 1, not {min(numbers)}")
        fitting = np.minimum(numbers, self._all_cells())
        return np.broadcast_to(fitting, (len(queries), len(fitting)))

    def _all_cells(self) -> tuple[int, ...]:
        return tuple(codebook.cell_count for codebook in self._codebooks)

    def search(
        self,
        queries: NDArray[np.float32],
        *,
        candidates: int,
        visited: NDArray[np.int64],
        deadline: Deadline | None = None,
    ) -> Nearest:
        """Find the entries of each generation whose codes are nearest, nearest first.

        `queries` is (n, D), and `visited` comes from :meth:`visited`; the result has `candidates`
        columns for each generation. A deadline is for :class:`LanceEngine`; parts in memory always
        answer.
        """
        found = [
            _search_part(part, queries, candidates, numbers, deadline)
            for part, numbers in zip(self._parts, visited.T, strict=True)
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
    visited: NDArray[np.int64],
    deadline: Deadline | None,
) -> Nearest:
    if isinstance(part, LanceEngine) and deadline is not None:
        most = int(visited.max(initial=1))  # all in one call, so that a part is late once
        return part.search(queries, candidates=candidates, probes=most, deadline=deadline)

    def search(some: NDArray[np.float32], probes: int) -> Nearest:
        return part.search(some, candidates=candidates, probes=probes)

    return visit(search, queries, visited)


def _squared_distances(codebook: Codebook, distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return distances to codes as squared Euclidean ones."""
    if codebook.factory.fine != "LSH":
        return distances
    bits = codebook.factory.inner_dimension(codebook.dimension)
    angles = np.pi / bits * np.minimum(distances, bits)
    return (2 - 2 * np.cos(angles)).astype(np.float32)
