"""The loop of activation, in its named steps: render, describe, objective, step, stop.

Letters in the shapes: B pictures, S side of the descriptor's grid, D descriptor. Pixels are RGB in
[0, 1] everywhere. Every picture of a batch is optimised for itself: no operation mixes two.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from homing.activation.objective import Objective

__all__ = ["ActivationSettings", "Batch", "optimise", "render", "shares_of"]

_TINY = 1e-12  # least norm to divide by


@dataclass(frozen=True, kw_only=True)
class ActivationSettings:
    """How the loop runs. The defaults are those of Fernandez et al. (2023), section 4.1.

    Attributes
    ----------
    steps : int
        Iterations of Adam, at least 1.
    rate : float
        Adam's learning rate for the offsets (which pass through tanh).
    strength : float
        s, times the just noticeable difference, before the budget caps it.
    distortion_weight : float
        λ, weight of the mean squared change.
    initial_noise : float
        Standard deviation of the offsets at the start.

    Raises
    ------
    ValueError
        A value is out of range.
    """

    steps: int = 10
    rate: float = 1.0
    strength: float = 3.0
    distortion_weight: float = 0.01
    initial_noise: float = 1e-6

    def __post_init__(self) -> None:
        positive = self.rate, self.strength, self.initial_noise
        if self.steps < 1 or not all(0 < value < math.inf for value in positive):
            raise ValueError(f"steps, rate, strength and initial_noise must be positive: {self}")
        if not 0 <= self.distortion_weight < math.inf:
            raise ValueError(f"distortion_weight must be at least 0: {self}")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pictures to be activated together, as the descriptor sees them (upright, squashed).

    Attributes
    ----------
    pictures : Tensor (B, 3, S, S)
        RGB in [0, 1].
    allowed : Tensor (B, 3, S, S)
        What each channel may change by at strength one, in units of the full range: the just
        noticeable difference times the channel's weight.
    grey : Tensor (B,), bool
        Pictures of one channel: their three channels change alike.
    largest : Tensor (B,)
        The budget: the greatest root mean square of the change, in units of the full range.
    offsets : Tensor (B, 3, S, S)
        Where the optimisation starts.
    """

    pictures: torch.Tensor
    allowed: torch.Tensor
    grey: torch.Tensor
    largest: torch.Tensor
    offsets: torch.Tensor

    @property
    def any_grey(self) -> bool:
        """Whether there is a picture of one channel among them."""
        return bool(self.grey.any())


def shares_of(batch: Batch, offsets: torch.Tensor, strength: float) -> torch.Tensor:
    """Signed share of what is allowed that is used, (B, 3, S, S), within the budget.

    ``s · tanh(δ)``, scaled down where the change would exceed the budget.
    """
    bounded = torch.tanh(offsets)
    if batch.any_grey:
        alike = bounded.mean(dim=1, keepdim=True).expand_as(bounded)
        bounded = torch.where(batch.grey[:, None, None, None], alike, bounded)
    # The norm's gradient is zero, not undefined, where nothing is changed yet.
    norms = torch.linalg.vector_norm(bounded * batch.allowed, dim=(1, 2, 3))
    count = batch.allowed[0].numel()
    most = batch.largest * math.sqrt(count) / norms.clamp(min=_TINY)
    shares: torch.Tensor = bounded * most.clamp(max=strength)[:, None, None, None]
    return shares


def render(batch: Batch, offsets: torch.Tensor, strength: float) -> torch.Tensor:
    """The pictures as the descriptor will see them once the change is laid on, (B, 3, S, S)."""
    change = batch.allowed * shares_of(batch, offsets, strength)
    return (batch.pictures + change).clamp(0.0, 1.0)


def optimise(
    batch: Batch,
    describe: Callable[[torch.Tensor], torch.Tensor],
    objective: Objective,
    settings: ActivationSettings,
) -> torch.Tensor:
    """Find the change that brings the descriptors where the objective wants them.

    Parameters
    ----------
    batch : Batch
        The pictures, their tolerances and budgets.
    describe : callable
        (B, 3, S, S) in [0, 1] to (B, D) unit vectors, differentiable.
    objective : callable
        See :data:`~homing.activation.objective.Objective`.
    settings : ActivationSettings
        Steps, rate, strength.

    Returns
    -------
    Tensor (B, 3, S, S)
        Signed shares of what is allowed, to be laid on the full pictures.
    """
    offsets = batch.offsets.clone().requires_grad_()
    fused = offsets.device.type in {"cpu", "cuda"}  # one pass over memory instead of ten
    optimiser = torch.optim.Adam([offsets], lr=settings.rate, fused=fused)
    for _ in range(settings.steps):
        rendered = render(batch, offsets, settings.strength)
        losses = objective(describe(rendered), rendered - batch.pictures)
        (offsets.grad,) = torch.autograd.grad(losses.sum(), offsets)
        optimiser.step()
    with torch.no_grad():
        return shares_of(batch, offsets, settings.strength)
