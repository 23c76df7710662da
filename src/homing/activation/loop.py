"""The loop of activation, in its named steps: render, describe, objective, step, stop.

Letters in the shapes: B pictures, C = 3 channels, or 1 for channels that change alike, H = W = S
side of the descriptor's grid, T a larger side, D descriptor. Pixels are RGB in [0, 1]. Every
picture of a batch is optimised by itself: no operation mixes two.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from homing.activation.objectives.objective import Objective, SafeObjective
from homing.activation.simulated_edits.edits import (
    NO_EDITS,
    DrawnEdits,
    EditPlan,
    Originals,
    apply_edits,
)

_TINY = 1e-12  # least norm to divide by

_Describe = Callable[[torch.Tensor], torch.Tensor]  # (n, 3, S, S) to unit vectors (n, D)
_Step = Callable[[int, torch.Tensor], None]  # takes the step's number and the gradient (B, C, S, S)


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """Settings of the loop. The defaults are those of Fernandez et al. (2023), section 4.1.

    Raises `ValueError` if a value is out of range.
    """

    steps: int = 10
    rate: float = 1.0  # learning rate of the offsets
    final_rate: float = 1.0  # share of the rate at the last step; it falls linearly
    #: Momentum of steps along the gradient, at unit root mean square; None: Adam.
    momentum: float | None = None
    edits: EditPlan = NO_EDITS  # simulated edits of each step
    #: Shrink factor per step while all simulated edits are safe; 1 disables it. The change grows
    #: back once they are not. Needs an objective with `safe`.
    shrink: float = 1.0
    strength: float = 3.0  # s, largest change of a place over its tolerance
    #: Whether offsets pass through tanh, as published. Otherwise the gain is in proportion to them:
    #: at the same size, a change that is large where it helps most shows less than one that is
    #: large everywhere.
    saturating: bool = True
    distortion_weight: float = 0.01  # λ, weight of the mean squared change
    initial_noise: float = 1e-6  # standard deviation of the first offsets

    def __post_init__(self) -> None:
        positive = self.rate, self.strength, self.initial_noise
        if self.steps < 1 or not all(0 < value < math.inf for value in positive):
            raise ValueError(f"steps, rate, strength and initial_noise must be positive: {self}")
        if not 0 < self.final_rate <= 1:
            raise ValueError(f"final_rate must be above 0 and at most 1: {self}")
        if not 0 < self.shrink <= 1:
            raise ValueError(f"shrink must be above 0 and at most 1: {self}")
        if self.momentum is not None and not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and below 1: {self}")
        if not 0 <= self.distortion_weight < math.inf:
            raise ValueError(f"distortion_weight must be at least 0: {self}")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pictures to be activated together, as the descriptor sees them (upright, squashed)."""

    pictures: torch.Tensor  # (B, 3, S, S), RGB in [0, 1]
    #: (B, 3, S, S), or (B, 1, S, S) if the channels of all pictures change alike: the tolerance of
    #: each channel, in units of the full range.
    allowed: torch.Tensor
    alike: torch.Tensor  # (B,) bool; the three channels of these pictures change alike
    max_rms: torch.Tensor  # (B,), the budget: largest root mean square of the change
    offsets: torch.Tensor  # of the shape of `allowed`, start of the optimisation
    max_gain: torch.Tensor | None = None  # (B,), largest root mean square of the gain
    edits: DrawnEdits | None = None  # None: the steps see the pictures unedited
    finer: torch.Tensor | None = None  # (B, 3, T, T), for edits that enlarge

    @property
    def originals(self) -> Originals | None:
        """The unchanged pictures for edits that enlarge."""
        return None if self.finer is None else Originals(self.pictures, self.finer)


def optimise(
    batch: Batch, describe: _Describe, objective: Objective, settings: LoopSettings
) -> torch.Tensor:
    """Find the gain, (B, C, S, S), that brings the descriptors where the objective wants them.

    The gain is the signed share of what each channel may change by, at the full picture as here.
    """
    offsets = batch.offsets.clone().requires_grad_()
    take_step = _make_step(offsets, settings)
    shrinks = settings.shrink < 1 and isinstance(objective, SafeObjective)
    levels = torch.ones_like(batch.max_rms)  # (B,), share of the budget that is left
    for step in range(settings.steps):
        within = _shrink(batch, levels) if shrinks else batch
        rendered = render(within, offsets, settings)
        wanted, safe = _gradient(within, rendered.detach(), step, describe, objective)
        (gradient,) = torch.autograd.grad(rendered, offsets, wanted)
        take_step(step, gradient)
        if shrinks:
            grown = (levels / settings.shrink).clamp(max=1)
            levels = torch.where(safe, levels * settings.shrink, grown)
    with torch.no_grad():
        within = _shrink(batch, levels) if shrinks else batch
        return gain_of(within, offsets, settings)


def render(batch: Batch, offsets: torch.Tensor, settings: LoopSettings) -> torch.Tensor:
    """Return the pictures as the descriptor will see them with their change, (B, 3, S, S)."""
    change = batch.allowed * gain_of(batch, offsets, settings)
    return (batch.pictures + change).clamp(0.0, 1.0)


def gain_of(batch: Batch, offsets: torch.Tensor, settings: LoopSettings) -> torch.Tensor:
    """Return the gain of offsets, (B, C, S, S): the signed share of what is allowed.

    ``s · tanh(δ)``, or ``c · δ`` clipped at s, scaled down where the change would exceed the budget
    or the gain what is unseen.
    """
    gain = torch.tanh(offsets) if settings.saturating else offsets
    if gain.shape[1] > 1 and batch.alike.any():
        mean = gain.mean(dim=1, keepdim=True).expand_as(gain)
        gain = torch.where(batch.alike[:, None, None, None], mean, gain)
    most = batch.max_rms / _rms(gain * batch.allowed)
    if batch.max_gain is not None:
        most = torch.minimum(most, batch.max_gain / _rms(gain * (batch.allowed > 0)))
    if settings.saturating:
        return gain * most.clamp(max=settings.strength)[:, None, None, None]
    scaled: torch.Tensor = gain * most[:, None, None, None]
    return scaled.clamp(-settings.strength, settings.strength)


def budget_shares(batch: Batch, gain: torch.Tensor) -> torch.Tensor:
    """Return the share of its budget that each picture's change uses, (B,), at most 1."""
    used = _rms(gain * batch.allowed) / batch.max_rms.clamp(min=_TINY)
    shares: torch.Tensor = used.clamp(max=1.0)
    return shares


def _rms(values: torch.Tensor) -> torch.Tensor:
    """Return root mean squares of (B, C, S, S), (B,), above zero."""
    # The norm's gradient is zero, not undefined, where nothing is changed yet.
    norms = torch.linalg.vector_norm(values, dim=(1, 2, 3)).clamp(min=_TINY)
    found: torch.Tensor = norms / math.sqrt(values[0].numel())
    return found


def _shrink(batch: Batch, levels: torch.Tensor) -> Batch:
    max_gain = None if batch.max_gain is None else batch.max_gain * levels
    return replace(batch, max_rms=batch.max_rms * levels, max_gain=max_gain)


def _gradient(
    batch: Batch, rendered: torch.Tensor, step: int, describe: _Describe, objective: Objective
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradient of the step's mean loss at the rendered pictures, (B, 3, S, S).

    And whether all edited copies of a picture are safe, (B,); True if the objective has no `safe`.
    """
    rendered.requires_grad_()
    safe = torch.ones_like(batch.max_rms, dtype=torch.bool)
    total: torch.Tensor | None = None
    count = 0
    for copies in _edited_copies(batch, rendered, step):
        edits = len(copies) // len(rendered)
        features = describe(copies)
        losses = objective(features, rendered - batch.pictures)
        (gradient,) = torch.autograd.grad(losses.sum(), rendered)
        weighted = edits * gradient if edits > 1 else gradient
        total = weighted if total is None else total + weighted
        count += edits
        if isinstance(objective, SafeObjective):
            safe &= objective.safe(features.detach())
    assert total is not None  # an edit plan has at least one edit
    return (total / count if count > 1 else total), safe


def _edited_copies(batch: Batch, rendered: torch.Tensor, step: int) -> Iterator[torch.Tensor]:
    if batch.edits is None:
        yield rendered
    else:
        yield from apply_edits(rendered, batch.edits, step, batch.originals)


def _make_step(offsets: torch.Tensor, settings: LoopSettings) -> _Step:
    if settings.momentum is None:
        return _adam(offsets, settings)
    return _momentum(offsets, settings, settings.momentum)


def _adam(offsets: torch.Tensor, settings: LoopSettings) -> _Step:
    fused = offsets.device.type in {"cpu", "cuda"}  # one pass over memory instead of ten
    optimiser = torch.optim.Adam([offsets], lr=settings.rate, fused=fused)

    def take_step(step: int, gradient: torch.Tensor) -> None:
        optimiser.param_groups[0]["lr"] = _rate(settings, step)
        offsets.grad = gradient
        optimiser.step()

    return take_step


def _momentum(offsets: torch.Tensor, settings: LoopSettings, momentum: float) -> _Step:
    velocity = torch.zeros_like(offsets)
    count = offsets[0].numel()

    def take_step(step: int, gradient: torch.Tensor) -> None:
        norms = torch.linalg.vector_norm(gradient, dim=(1, 2, 3), keepdim=True)
        velocity.mul_(momentum).add_(gradient * (math.sqrt(count) / norms.clamp(_TINY)))
        with torch.no_grad():
            offsets.sub_(velocity * _rate(settings, step))

    return take_step


def _rate(settings: LoopSettings, step: int) -> float:
    fallen = step / max(1, settings.steps - 1)
    return settings.rate * (1 - (1 - settings.final_rate) * fallen)
