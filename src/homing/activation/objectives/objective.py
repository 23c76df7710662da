"""What activation strives for, as a loss of each picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F

#: Takes the descriptors (B, D) of the rendered pictures and the change (B, 3, S, S) made to them;
#: gives one loss a picture, (B,).
Objective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@runtime_checkable
class WatchfulObjective(Protocol):
    """An objective that can tell when a picture needs no more."""

    def __call__(self, features: torch.Tensor, change: torch.Tensor, /) -> torch.Tensor:
        """One loss a picture, (B,)."""
        ...

    def safe(self, features: torch.Tensor) -> torch.Tensor:
        """Whether all looks at a picture are safe, (B,) bool."""
        ...


def reconstruction_objective(targets: torch.Tensor, *, distortion_weight: float) -> Objective:
    """The published loss: towards the codebook's reconstruction, changing little.

    ``−cos(f(I), q(x)) + λ · mean((I − I_o)²)`` (Fernandez et al. 2023, equations 4 to 6).

    Parameters
    ----------
    targets : Tensor, shape (B, D)
        q(x), the codebook's reconstruction of each original's descriptor.
    distortion_weight : float
        λ, for a change in units of the full range.
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
class _WatchfulJoint(_Joint):
    objectives: tuple[WatchfulObjective, ...]

    def safe(self, features: torch.Tensor) -> torch.Tensor:
        return torch.stack([objective.safe(features) for objective in self.objectives]).all(dim=0)


def joint_objective(objectives: Sequence[Objective]) -> Objective:
    """Strive for several objectives at once, one a codebook: the mean of their losses.

    Losses of one method have one scale, whatever the codebook: distances to walls are of
    descriptors of unit length (margins of bits are brought to it), nearnesses are cosines. And a
    margin that is safe wishes for no more, so that the change goes where it is lacking. A picture
    is safe where all of them say so; where one cannot tell, neither can they together.

    Parameters
    ----------
    objectives : sequence of Objective
        At least one; one alone is returned as it is.
    """
    if len(objectives) == 1:
        return objectives[0]
    watchful = [each for each in objectives if isinstance(each, WatchfulObjective)]
    if len(watchful) == len(objectives):
        return _WatchfulJoint(tuple(watchful))
    return _Joint(tuple(objectives))
