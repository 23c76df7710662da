"""Objectives of the loop: targets in, one loss a picture out.

Letters in the shapes: B pictures, D descriptor, S side of the descriptor's grid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from homing.codebooks.any_codebook import AnyCodebook

#: Maps descriptors (B, D) of the rendered pictures and their change (B, 3, S, S) to losses (B,).
Objective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Targets:
    """Goals of some pictures in one codebook."""

    codebook: AnyCodebook
    vectors: NDArray[np.float32]  # (B, D), the pictures' own descriptors, of unit length
    cells: NDArray[np.int32]  # (B,), target cells

    @classmethod
    def in_own_cells(cls, codebook: AnyCodebook, vectors: NDArray[np.float32]) -> "Targets":
        """Return targets whose cells are those of the vectors."""
        return cls(codebook, vectors, codebook.cells(vectors))


@runtime_checkable
class SafeObjective(Protocol):
    """An objective that can say when a picture needs no larger change."""

    def __call__(self, features: torch.Tensor, change: torch.Tensor, /) -> torch.Tensor:
        """Return one loss a picture, (B,)."""
        ...

    def safe(self, features: torch.Tensor) -> torch.Tensor:
        """Return whether all edited copies of a picture are safe, (B,) bool."""
        ...


def reconstruction_objective(targets: torch.Tensor, *, distortion_weight: float) -> Objective:
    """The published loss: ``−cos(f(I), q(x)) + λ · mean((I − I_o)²)``.

    Fernandez et al. 2023, equations 4 to 6. `targets`, (B, D), are q(x), the codebook's
    reconstructions of the originals' descriptors; `distortion_weight` is λ, for a change in units
    of the full range.
    """

    def objective(features: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        nearness = F.cosine_similarity(features, targets, dim=1)
        distortion = change.square().mean(dim=(1, 2, 3))
        return distortion_weight * distortion - nearness

    return objective


@dataclass(frozen=True)
class _Joint:
    objectives: tuple[Objective, ...]

    def __call__(self, features: torch.Tensor, change: torch.Tensor, /) -> torch.Tensor:
        losses = torch.stack([objective(features, change) for objective in self.objectives])
        return losses.mean(dim=0)


@dataclass(frozen=True)
class _SafeJoint(_Joint):
    objectives: tuple[SafeObjective, ...]

    def safe(self, features: torch.Tensor) -> torch.Tensor:
        return torch.stack([objective.safe(features) for objective in self.objectives]).all(dim=0)


def joint_objective(objectives: Sequence[Objective]) -> Objective:
    """Average the losses of one or more objectives, one a codebook.

    Losses of one method have one scale, whatever the codebook. A margin that is safe has no more
    gradient, so that the change goes where margins are lacking. A picture is safe where all
    objectives say so; if one has no `safe`, neither has their mean.
    """
    if len(objectives) == 1:
        return objectives[0]
    safe = [each for each in objectives if isinstance(each, SafeObjective)]
    if len(safe) == len(objectives):
        return _SafeJoint(tuple(safe))
    return _Joint(tuple(objectives))
