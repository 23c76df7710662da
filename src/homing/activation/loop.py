"""The loop of activation, in its named steps: render, describe, objective, step, stop.

Letters in the shapes: B pictures, S side of the descriptor's grid, D descriptor. Pixels are RGB in
[0, 1] everywhere. Every picture of a batch is optimised for itself: no operation mixes two.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from homing.activation.masking.perceptual import LUMINANCE_WEIGHTS
from homing.activation.objectives.objective import Objective, WatchfulObjective
from homing.activation.simulated_edits.looks import NO_EDITS, Detail, DrawnEdits, EditPlan, looks

_TINY = 1e-12  # least norm to divide by


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How the loop runs. The defaults are those of Fernandez et al. (2023), section 4.1.

    Attributes
    ----------
    steps : int
        Iterations, at least 1.
    rate : float
        Learning rate for the offsets (which pass through tanh).
    final_rate : float
        Share of the rate that is left at the last step; it falls evenly.
    momentum : float or None
        Of steps along the gradient, at unit root mean square; None: Adam.
    edits : EditPlan
        How many looks a step takes at a picture, and through which edits.
    ease : float
        While all looks at a picture are safe, its change shrinks by this factor a step, and grows
        back once they are not: what is not needed is not spent. 1: never. Takes an objective that
        can tell.
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
    final_rate: float = 1.0
    momentum: float | None = None
    edits: EditPlan = NO_EDITS
    ease: float = 1.0
    strength: float = 3.0
    distortion_weight: float = 0.01
    initial_noise: float = 1e-6

    def __post_init__(self) -> None:
        positive = self.rate, self.strength, self.initial_noise
        if self.steps < 1 or not all(0 < value < math.inf for value in positive):
            raise ValueError(f"steps, rate, strength and initial_noise must be positive: {self}")
        if not 0 < self.final_rate <= 1:
            raise ValueError(f"final_rate is a share, above 0 and at most 1: {self}")
        if not 0 < self.ease <= 1:
            raise ValueError(f"ease is a factor, above 0 and at most 1: {self}")
        if self.momentum is not None and not 0 <= self.momentum < 1:
            raise ValueError(f"momentum is at least 0 and below 1: {self}")
        if not 0 <= self.distortion_weight < math.inf:
            raise ValueError(f"distortion_weight must be at least 0: {self}")


@dataclass(frozen=True)
class Muting:
    """Luminance that is taken from changes, so that what shows least is left: colour.

    Attributes
    ----------
    weights : Tensor (B, 3, 1, 1)
        What each channel may change by, over what a place may.
    taken : Tensor (B, 1, S, S)
        Share of a change's luminance that is taken away, in [0, 1].
    """

    weights: torch.Tensor
    taken: torch.Tensor

    def __call__(self, shares: torch.Tensor) -> torch.Tensor:
        """Take it from all three channels alike, which leaves their differences as they are."""
        each = self.weights * self.weights.new_tensor(LUMINANCE_WEIGHTS)[:, None, None]
        luminance = (each * shares).sum(dim=1, keepdim=True)
        return shares - self.taken * luminance / self.weights


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
    edits : DrawnEdits or None
        What each step looks through; None: at the pictures as they are.
    finer : Tensor (B, 3, T, T) or None
        The pictures squashed to a larger square, for looks that enlarge.
    muting : Muting or None
        What luminance changes by less than colour.
    """

    pictures: torch.Tensor
    allowed: torch.Tensor
    grey: torch.Tensor
    largest: torch.Tensor
    offsets: torch.Tensor
    edits: DrawnEdits | None = None
    finer: torch.Tensor | None = None
    muting: Muting | None = None

    @property
    def detail(self) -> Detail | None:
        """The pictures as looks that enlarge see them, where they are at hand."""
        return None if self.finer is None else Detail(self.pictures, self.finer)

    @property
    def any_grey(self) -> bool:
        """Whether there is a picture of one channel among them."""
        return bool(self.grey.any())


def shares_of(batch: Batch, offsets: torch.Tensor, strength: float) -> torch.Tensor:
    """Signed share of what is allowed that is used, (B, 3, S, S), within the budget.

    ``s · tanh(δ)``, its luminance muted, scaled down where the change would exceed the budget.
    """
    bounded = torch.tanh(offsets)
    if batch.any_grey:
        alike = bounded.mean(dim=1, keepdim=True).expand_as(bounded)
        bounded = torch.where(batch.grey[:, None, None, None], alike, bounded)
    if batch.muting is not None:
        bounded = batch.muting(bounded)
    # The norm's gradient is zero, not undefined, where nothing is changed yet.
    norms = torch.linalg.vector_norm(bounded * batch.allowed, dim=(1, 2, 3))
    count = batch.allowed[0].numel()
    most = batch.largest * math.sqrt(count) / norms.clamp(min=_TINY)
    shares: torch.Tensor = bounded * most.clamp(max=strength)[:, None, None, None]
    return shares


def levels_of(batch: Batch, shares: torch.Tensor) -> torch.Tensor:
    """Share of its budget that each picture's change uses, (B,), at most 1."""
    norms = torch.linalg.vector_norm(shares * batch.allowed, dim=(1, 2, 3))
    used = norms / math.sqrt(batch.allowed[0].numel()) / batch.largest.clamp(min=_TINY)
    levels: torch.Tensor = used.clamp(max=1.0)
    return levels


def render(batch: Batch, offsets: torch.Tensor, strength: float) -> torch.Tensor:
    """The pictures as the descriptor will see them once the change is laid on, (B, 3, S, S)."""
    change = batch.allowed * shares_of(batch, offsets, strength)
    return (batch.pictures + change).clamp(0.0, 1.0)


def optimise(
    batch: Batch,
    describe: Callable[[torch.Tensor], torch.Tensor],
    objective: Objective,
    settings: LoopSettings,
) -> torch.Tensor:
    """Find the change that brings the descriptors where the objective wants them.

    Parameters
    ----------
    batch : Batch
        The pictures, their tolerances and budgets.
    describe : callable
        (B, 3, S, S) in [0, 1] to (B, D) unit vectors, differentiable.
    objective : callable
        See :data:`~homing.activation.objectives.objective.Objective`.
    settings : LoopSettings
        Steps, rate, strength.

    Returns
    -------
    Tensor (B, 3, S, S)
        Signed shares of what is allowed, to be laid on the full pictures.
    """
    offsets = batch.offsets.clone().requires_grad_()
    if settings.momentum is None:
        step = _adam(offsets, settings)
    else:
        step = _momentum(offsets, settings, settings.momentum)
    easing = settings.ease < 1 and isinstance(objective, WatchfulObjective)
    levels = torch.ones_like(batch.largest)
    for number in range(settings.steps):
        eased = replace(batch, largest=batch.largest * levels) if easing else batch
        rendered = render(eased, offsets, settings.strength)
        wanted, safe = _gradient(eased, rendered.detach(), number, describe, objective)
        (gradient,) = torch.autograd.grad(rendered, offsets, wanted)
        step(number, gradient)
        if easing:
            grown = (levels / settings.ease).clamp(max=1)
            levels = torch.where(safe, levels * settings.ease, grown)
    with torch.no_grad():
        eased = replace(batch, largest=batch.largest * levels) if easing else batch
        return shares_of(eased, offsets, settings.strength)


def _gradient(
    batch: Batch,
    rendered: torch.Tensor,
    number: int,
    describe: Callable[[torch.Tensor], torch.Tensor],
    objective: Objective,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient of the mean loss over a step's looks with respect to the rendered pictures.

    And whether all looks at a picture are safe, (B,), as far as the objective can tell.
    """
    rendered.requires_grad_()
    safe = torch.ones_like(batch.largest, dtype=torch.bool)
    total: torch.Tensor | None = None
    count = 0
    for seen in _looks(batch, rendered, number):
        share = len(seen) // len(rendered)
        features = describe(seen)
        losses = objective(features, rendered - batch.pictures)
        (gradient,) = torch.autograd.grad(losses.sum(), rendered)
        weighted = share * gradient if share > 1 else gradient
        total = weighted if total is None else total + weighted
        count += share
        if isinstance(objective, WatchfulObjective):
            safe &= objective.safe(features.detach())
    assert total is not None  # an edit plan has at least one look
    return (total / count if count > 1 else total), safe


def _looks(batch: Batch, rendered: torch.Tensor, number: int) -> Iterator[torch.Tensor]:
    if batch.edits is None:
        yield rendered
    else:
        yield from looks(rendered, batch.edits, number, batch.detail)


def _adam(offsets: torch.Tensor, settings: LoopSettings) -> Callable[[int, torch.Tensor], None]:
    fused = offsets.device.type in {"cpu", "cuda"}  # one pass over memory instead of ten
    optimiser = torch.optim.Adam([offsets], lr=settings.rate, fused=fused)

    def step(number: int, gradient: torch.Tensor) -> None:
        optimiser.param_groups[0]["lr"] = _rate(settings, number)
        offsets.grad = gradient
        optimiser.step()

    return step


def _momentum(
    offsets: torch.Tensor, settings: LoopSettings, momentum: float
) -> Callable[[int, torch.Tensor], None]:
    velocity = torch.zeros_like(offsets)
    count = offsets[0].numel()

    def step(number: int, gradient: torch.Tensor) -> None:
        norms = torch.linalg.vector_norm(gradient, dim=(1, 2, 3), keepdim=True)
        velocity.mul_(momentum).add_(gradient * (math.sqrt(count) / norms.clamp(_TINY)))
        with torch.no_grad():
            offsets.sub_(velocity * _rate(settings, number))

    return step


def _rate(settings: LoopSettings, number: int) -> float:
    fallen = number / max(1, settings.steps - 1)
    return settings.rate * (1 - (1 - settings.final_rate) * fallen)
