"""Entries of several codebooks, each searched by its own engine and put together.

Entries of one archive may be of several generations of its codebook. Each generation has its own
cells and codes, so that each is searched by itself, in as many cells as a search of it alone would
visit; the candidates of all are then put in order together.

Distances to codes are of one unit whatever the codebook: squared Euclidean distances, of unit
vectors, between the query and what the code stands for. Rotations in front of a quantizer leave
them as they are. Only sign codes (LSH) have another: where there are several generations, h
differing bits of b are told as the squared distance of the angle that they stand for,

    2 − 2 cos(π h / b)

as random hyperplanes separate two vectors with a probability that is their angle over π [1]_.

References
----------
.. [1] M. Charikar. "Similarity Estimation Techniques from Rounding Algorithms". STOC 2002.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook
from homing.search.engines.deadline import Deadline
from homing.search.engines.lance import Block, LanceEngine
from homing.search.engines.memory import MemoryEngine, automatic_probes, probe_stages

Probes = tuple[int, ...]
"""How many cells of each generation are visited."""

_NOTHING = np.finfo(np.float32).max  # Faiss's distance where there is no candidate


class CombinedEngine:
    """Approximate search over the codes of an archive, generation by generation.

    Parameters
    ----------
    codebooks : sequence of Codebook
        Of the generations.
    parts : sequence of MemoryEngine, LanceEngine or Block
        The entries of each; engines give the numbers of entries in the archive, and blocks say
        which these are.
    """

    def __init__(
        self, codebooks: Sequence[Codebook], parts: Sequence[MemoryEngine | LanceEngine | Block]
    ) -> None:
        self._codebooks = tuple(codebooks)
        self._parts = tuple(parts)

    def __len__(self) -> int:
        """Count the entries."""
        return sum(len(p.engine if isinstance(p, Block) else p) for p in self._parts)

    @property
    def several(self) -> bool:
        """Whether there is more than one generation."""
        return len(self._parts) > 1

    def visited(self, probes: int | None) -> Probes:
        """Cells to visit in each generation: as many as given, or those of nobody's choice."""
        if probes is not None:
            return (probes,) * len(self._codebooks)
        return tuple(automatic_probes(codebook.cell_count) for codebook in self._codebooks)

    def stages(self) -> tuple[Probes, ...]:
        """Cells to visit in each generation until there is a hit to be sure of.

        A generation of fewer stages stays at its last one while others go on.
        """
        stages = [probe_stages(codebook.cell_count) for codebook in self._codebooks]
        longest = max(map(len, stages))
        return tuple(
            tuple(each[min(number, len(each) - 1)] for each in stages) for number in range(longest)
        )

    def search(
        self,
        queries: NDArray[np.float32],
        *,
        candidates: int,
        probes: Probes,
        deadline: Deadline | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Entries whose codes are nearest, of each generation; all of them in order of distance.

        Parameters
        ----------
        queries : array (n, D), float32
            Descriptors.
        candidates : int
            How many entries a query, of each generation.
        probes : tuple of int
            How many cells of each generation a query visits.
        deadline : Deadline or None
            As for :meth:`LanceEngine.search`; what is in memory answers.

        Returns
        -------
        positions : array (n, c), int64
            Numbers of the entries, nearest first; −1 where there are no more.
        distances : array (n, c), float32
            Squared Euclidean distance to the decoded code. With a single LSH codebook: differing
            bits.
        """
        found = [
            _searched(part, queries, candidates, visited, deadline)
            for part, visited in zip(self._parts, probes, strict=True)
        ]
        if len(found) == 1:
            return found[0]
        positions = np.concatenate([numbers for numbers, _ in found], axis=1)
        distances = np.concatenate(
            [
                np.where(numbers < 0, _NOTHING, _squared(codebook, measured))
                for codebook, (numbers, measured) in zip(self._codebooks, found, strict=True)
            ],
            axis=1,
        )
        order = np.argsort(distances, axis=1, kind="stable")
        return (
            np.take_along_axis(positions, order, axis=1),
            np.take_along_axis(distances, order, axis=1),
        )


def _searched(
    part: MemoryEngine | LanceEngine | Block,
    queries: NDArray[np.float32],
    candidates: int,
    probes: int,
    deadline: Deadline | None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    if isinstance(part, LanceEngine):
        return part.search(queries, candidates=candidates, probes=probes, deadline=deadline)
    if isinstance(part, MemoryEngine):
        return part.search(queries, candidates=candidates, probes=probes)
    positions, distances = part.engine.search(queries, candidates=candidates, probes=probes)
    if not len(part.numbers):
        return positions, distances  # none of them is an entry
    return np.where(positions < 0, -1, part.numbers[positions]), distances


def _squared(codebook: Codebook, distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances to codes as squared Euclidean ones."""
    if codebook.factory.fine != "LSH":
        return distances
    bits = codebook.factory.inner_dimension(codebook.dimension)
    angles = np.pi / bits * np.minimum(distances, bits)
    return (2 - 2 * np.cos(angles)).astype(np.float32)
