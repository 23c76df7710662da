"""Margin objective: keep edited copies of a picture away from the walls of its cell or bits.

A codebook cuts space by walls: between cells (IVF), between a bit's values (LSH). A margin is a
descriptor's distance to them. A product quantizer without cells has no walls that matter, because
distances to the code's reconstruction decide; there the objective is that reconstruction.

Letters in the shapes: B pictures, L edited copies of each, M margins of a copy, D descriptor, d its
dimension after the codebook's rotation, R rival cells.

Every picture has its own goal: computed in one operation for all, a picture's last bits would
depend on its place in the batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from homing.activation.objectives.objective import Targets
from homing.codebooks.any_codebook import AnyCodebook
from homing.codebooks.partition import Normalised, Partition, Step

_Mapping = Callable[[torch.Tensor], torch.Tensor]

_RIVALS = 256  # cells near enough to a picture that an edit may lead there
_NEAREST = 16  # of these, which count at a time
_TINY = 1e-6  # least distance between two centroids, to divide by
_SAFE_BIT = 0.5  # share of a typical projection at which a bit is safe


@dataclass(frozen=True, kw_only=True)
class MarginSettings:
    """Distances and weights of the margin objective, for descriptors of unit length."""

    margin: float = 0.2  # target distance to a wall
    safe_margin: float = 0.1  # distance at which a copy counts as safe
    softness: float = 0.05  # distance over which the loss fades at `margin`
    rivals: float = 0.02  # distance over which rival cells count alike
    # Weight of 1 − cos to the picture's own descriptor: a margin alone overshoots, and an exact
    # search no longer finds the picture.
    identity: float = 0.2
    code: float = 0.05  # weight of 1 − cos to the code's reconstruction, in a codebook with cells


@dataclass(frozen=True)
class _Margins:
    """Margins of a picture's copies: `of` maps descriptors (L, D) to (L, M).

    With its weight, the gradient of the mean has unit length where all margins are lacking, as that
    of the distance to one wall has: no kind of codebook outweighs another.
    """

    of: Callable[[torch.Tensor], torch.Tensor]
    weight: float = 1.0


@dataclass(frozen=True)
class _Goal:
    """Goal of one picture; see :class:`MarginSettings`."""

    margins: _Margins | None
    own: torch.Tensor  # (D,)
    target: torch.Tensor  # (D,), the code's reconstruction
    code_weight: float
    settings: MarginSettings

    def losses(self, copies: torch.Tensor) -> torch.Tensor:
        """Return the losses (L,) of descriptors (L, D)."""
        loss = self.settings.identity * _distance(copies, self.own)
        if self.code_weight:
            loss = loss + self.code_weight * _distance(copies, self.target)
        if self.margins is None:
            return loss
        margin, softness = self.settings.margin, self.settings.softness
        # Grows linearly below the target margin and fades above it.
        lacking = softness * F.softplus((margin - self.margins.of(copies)) / softness)
        return loss + self.margins.weight * lacking.mean(dim=1)

    def safe(self, copies: torch.Tensor) -> torch.Tensor:
        """Return whether all margins of descriptors (L, D) are safe, ()."""
        if self.margins is None:
            return torch.zeros((), dtype=torch.bool, device=copies.device)
        return (self.margins.of(copies) >= self.settings.safe_margin).all()


@dataclass(frozen=True)
class MarginObjective:
    """A safe objective over the descriptors (L · B, D) of L edited copies of each picture."""

    goals: tuple[_Goal, ...]

    def __call__(self, features: torch.Tensor, _change: torch.Tensor, /) -> torch.Tensor:
        """Return the mean loss of each picture's copies, (B,)."""
        return torch.stack([goal.losses(own).mean() for goal, own in self._by_picture(features)])

    def safe(self, features: torch.Tensor) -> torch.Tensor:
        """Return whether all copies of a picture are safe, (B,) bool."""
        return torch.stack([goal.safe(own) for goal, own in self._by_picture(features)])

    def _by_picture(self, features: torch.Tensor) -> Iterator[tuple[_Goal, torch.Tensor]]:
        count = len(self.goals)
        copies = features.reshape(-1, count, features.shape[1])  # (L, B, D)
        # A clone begins where memory is aligned, whatever the picture's place.
        yield from ((goal, copies[:, n].clone()) for n, goal in enumerate(self.goals))


def margin_objective(
    targets: Targets, settings: MarginSettings, device: torch.device
) -> MarginObjective:
    """Return the objective that keeps copies in the target cells, or their bits unchanged."""
    codebook, vectors, cells = targets.codebook, targets.vectors, targets.cells
    margins = _margins_of(codebook, settings, device)
    code_weight = _code_weight(codebook, settings)
    codes = codebook.target(vectors, cells) if code_weight else vectors
    own, reconstructed = (torch.tensor(array, device=device) for array in (vectors, codes))
    return MarginObjective(
        tuple(
            _Goal(margins(vector, cell), vector, code, code_weight, settings)
            for vector, code, cell in zip(own, reconstructed, cells.tolist(), strict=True)
        )
    )


def _distance(copies: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return 1 - F.cosine_similarity(copies, target[None], dim=1)


def _code_weight(codebook: AnyCodebook, settings: MarginSettings) -> float:
    if not codebook.aims_at_code:
        return 0.0
    return settings.code if codebook.cell_count > 1 else 1.0


def _margins_of(
    codebook: AnyCodebook, settings: MarginSettings, device: torch.device
) -> Callable[[torch.Tensor, int], _Margins | None]:
    """Return a function of a picture's descriptor (D,) and target cell that gives its margins."""
    partition = codebook.partition
    mapping = _mapping(partition, device)
    if partition.signs:
        return lambda own, _cell: _bit_margins(mapping, own.clone(), settings)
    if codebook.cell_count == 1 or partition.centroids is None:
        return lambda _own, _cell: None
    coarse = torch.tensor(partition.centroids, device=device)
    half = coarse.square().sum(dim=1) / 2
    if partition.metric == "IP":
        half = torch.zeros_like(half)
    space = _Space(mapping, coarse, half, partition.keeps_lengths)
    return lambda own, cell: _cell_margins(space, own.clone(), cell, settings)


def _mapping(partition: Partition, device: torch.device) -> _Mapping:
    """Return the steps before the quantizer, (L, D) to (L, d), differentiably."""
    steps = [_tensor_step(step, device) for step in partition.steps]

    def mapping(copies: torch.Tensor) -> torch.Tensor:
        for step in steps:
            copies = step(copies)
        return copies

    return mapping


def _tensor_step(step: Step, device: torch.device) -> _Mapping:
    if isinstance(step, Normalised):
        return lambda copies: F.normalize(copies, dim=1)
    matrix = torch.tensor(step.matrix, device=device)
    bias = torch.tensor(0.0 if step.bias is None else step.bias, device=device)
    return lambda copies: copies @ matrix.to(copies).T + bias.to(copies)


def _bit_margins(mapping: _Mapping, own: torch.Tensor, settings: MarginSettings) -> _Margins:
    """Measure projections from zero; half of the picture's typical one reaches the margin."""
    projected = mapping(own[None])
    signs = torch.where(projected >= 0, 1.0, -1.0)
    typical = projected.square().mean().sqrt()
    scale = settings.margin / (_SAFE_BIT * typical)
    # Projections are on axes at right angles: together they grow by the root of their number.
    weight = signs.numel() ** 0.5 / float(scale)
    return _Margins(lambda copies: mapping(copies) * signs * scale, weight)


@dataclass(frozen=True)
class _Space:
    """Cells behind a mapping."""

    mapping: _Mapping
    coarse: torch.Tensor  # (cells, d), centroids
    half: torch.Tensor  # (cells,), what is taken off their products with a vector
    keeps_lengths: bool  # whether the mapping does

    def slopes(self, own: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
        """Growth, (R,), of distances along normals, (R, d), in the descriptor's own space."""
        jacobian = torch.func.jacrev(lambda one: self.mapping(one[None])[0])(own)
        found: torch.Tensor = (normals @ jacobian).norm(dim=1)
        return found.clamp(min=_TINY)


def _cell_margins(
    space: _Space, own: torch.Tensor, cell: int, settings: MarginSettings
) -> _Margins:
    """Measure the soft minimum of distances to the walls between the cell and its nearest rivals.

    Distances are those of descriptors, whatever the mapping does to lengths.
    """
    coarse, half = space.coarse, space.half
    scores = coarse @ space.mapping(own[None])[0] - half
    scores[cell] = -torch.inf
    near = scores.topk(min(_RIVALS, len(coarse) - 1)).indices
    # The wall between two cells is at right angles to the line between their centroids.
    across = coarse[cell] - coarse[near]
    lengths = across.norm(dim=1).clamp(min=_TINY)
    normals = across / lengths[:, None]
    offsets = (half[cell] - half[near]) / lengths
    if not space.keeps_lengths:
        slopes = space.slopes(own, normals)
        normals, offsets = normals / slopes[:, None], offsets / slopes
    count = min(_NEAREST, len(near))

    def margins(copies: torch.Tensor) -> torch.Tensor:
        distances = space.mapping(copies) @ normals.to(copies).T - offsets  # (L, R)
        least = distances.topk(count, dim=1, largest=False).values
        soft = torch.logsumexp(-least / settings.rivals, dim=1, keepdim=True)
        return -settings.rivals * soft

    return _Margins(margins)
