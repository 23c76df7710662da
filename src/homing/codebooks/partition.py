"""Partition of space by a codebook: the walls that activation moves pictures away from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from homing.codebooks.exact import linear

Floats = npt.NDArray[np.float32]

_ORTHONORMAL = 1e-4  # largest error of a product of rows


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear step, x ↦ A x + b."""

    matrix: Floats  # A, (k, d)
    bias: Floats | None = None  # b, (k,)

    def apply(self, vectors: Floats) -> Floats:
        """Map vectors (n, d) to (n, k)."""
        return linear(vectors, self.matrix, self.bias)

    def undo(self, mapped: Floats) -> Floats:
        """Map (n, k) back to (n, d): the shortest vectors that give them, if any do."""
        inverse = self.matrix.T if self.is_orthonormal else np.linalg.pinv(self.matrix)
        centred = mapped if self.bias is None else mapped - self.bias
        return linear(centred, np.ascontiguousarray(inverse, np.float32))

    def direction(self, ways: Floats) -> Floats:
        """Map directions (n, k) in which the result grows back to (n, d)."""
        return linear(ways, np.ascontiguousarray(self.matrix.T))

    @cached_property
    def is_orthonormal(self) -> bool:
        """Whether the rows are at right angles and of unit length, so that lengths are kept."""
        wide = self.matrix.astype(np.float64)
        error = np.abs(wide @ wide.T - np.eye(len(wide))).max()
        return bool(error <= _ORTHONORMAL)


@dataclass(frozen=True)
class Normalised:
    """A step to unit length, x ↦ x / |x|; zero stays zero."""

    def apply(self, vectors: Floats) -> Floats:
        """Map vectors (n, d) to (n, d)."""
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)

    def undo(self, mapped: Floats) -> Floats:
        """Return the vectors as they are, of unit length."""
        return mapped

    def direction(self, ways: Floats) -> Floats:
        """Return directions as they are."""
        return ways


Step = Linear | Normalised


@dataclass(frozen=True, eq=False)
class Partition:
    """Partition of space: what is done to a vector, and the cells or signs it then falls in.

    With centroids c a vector x is in the cell of the largest c·x − |c|²/2 ("L2") or c·x ("IP").
    With `signs` each component's sign is a bit of its own. With neither there are no walls: a
    code's reconstruction decides.
    """

    steps: tuple[Step, ...] = ()
    centroids: Floats | None = None  # (cells, k)
    metric: Literal["L2", "IP"] = "L2"
    signs: bool = False

    @property
    def keeps_lengths(self) -> bool:
        """Whether distances to walls are the same before and after the steps."""
        return all(isinstance(step, Linear) and step.is_orthonormal for step in self.steps)

    def apply(self, vectors: Floats) -> Floats:
        """Map vectors (n, D) to those that are quantized, (n, k)."""
        for step in self.steps:
            vectors = step.apply(vectors)
        return vectors

    def undo(self, mapped: Floats) -> Floats:
        """Map (n, k) back to (n, D), as far as the steps can be undone."""
        for step in reversed(self.steps):
            mapped = step.undo(mapped)
        return mapped


def has_unit_length(centroids: Floats) -> bool:
    """Return whether all centroids, (cells, k), have unit length: L2 then gives the same cells."""
    lengths = np.linalg.norm(centroids.astype(np.float64), axis=1)
    return bool(np.abs(lengths - 1).max() <= _ORTHONORMAL)


def linear_steps(matrix: Floats | None, bias: Floats | None = None) -> tuple[Step, ...]:
    """Return the step of a rotation or reduction; none of None."""
    return () if matrix is None else (Linear(matrix, bias),)


def joined(steps: Sequence[Step]) -> Linear | None:
    """Return linear steps as one; None if there are none, or others among them."""
    found: Linear | None = None
    for step in steps:
        if not isinstance(step, Linear):
            return None
        if found is None:
            found = step
            continue
        outer, inner = step.matrix.astype(np.float64), found.matrix.astype(np.float64)
        bias = np.zeros(len(inner)) if found.bias is None else found.bias
        offset = outer @ bias + (0 if step.bias is None else step.bias)
        whole = None if found.bias is None and step.bias is None else offset.astype(np.float32)
        found = Linear((outer @ inner).astype(np.float32), whole)
    return found
