"""How safely descriptors keep what a codebook made of a picture, for every kind of codebook.

A codebook cuts space by walls: between cells (IVF), between a bit's values (LSH). A *goal* tells
how far a descriptor is from leaving, and how much that is wished to be mended. Where there are no
walls that matter, because distances to the code's own reconstruction decide (a product quantizer),
the goal is that reconstruction.

Letters in the shapes: B pictures, L looks at each, D descriptor, d what is quantized, R rivals.

Every picture has a goal of its own: were all worked out in one operation, a picture's last bits
would depend on its place among the others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from homing.codebooks import Codebook

_Inward = Callable[[torch.Tensor], torch.Tensor]

_RIVALS = 256  # cells near enough to a picture that an edit may lead there
_NEAREST = 16  # of these, which count at a time
_TINY = 1e-6  # least distance between two centroids, to divide by
_SAFE_BIT = 0.5  # share of a typical projection at which a bit is safe


@dataclass(frozen=True, kw_only=True)
class MarginSettings:
    """What is asked of the margins, and beside them.

    Attributes
    ----------
    margin : float
        Distance to a wall that is safe, for descriptors of unit length.
    enough : float
        Distance from which all looks at a picture may be for its change to be eased.
    softness : float
        Over which distance the wish for more fades at the safe one.
    rivals : float
        Over which distance rival cells count alike.
    identity : float
        Weight of ``1 − cos`` to the picture's own descriptor: a margin alone overshoots, and the
        picture is no longer found by an exact search.
    code : float
        Weight of ``1 − cos`` to the code's reconstruction where cells decide before.
    """

    margin: float = 0.2
    enough: float = 0.1
    softness: float = 0.05
    rivals: float = 0.02
    identity: float = 0.2
    code: float = 0.05


@dataclass(frozen=True)
class _Margins:
    """How far looks at a picture are from leaving.

    Attributes
    ----------
    of : callable
        Descriptors (L, D) of the looks to their margins, (L, M).
    weight : float
        Of the mean of what they lack: where all lack, its gradient has unit length, as that of the
        distance to one wall has. So no kind of codebook swamps another, or what is asked beside.
    """

    of: Callable[[torch.Tensor], torch.Tensor]
    weight: float = 1.0


@dataclass(frozen=True)
class _Goal:
    """What one picture strives for: see :class:`MarginSettings`."""

    margins: _Margins | None
    own: torch.Tensor
    target: torch.Tensor
    code: float  # weight of the nearness to the target
    settings: MarginSettings

    def losses(self, seen: torch.Tensor) -> torch.Tensor:
        """Loss of each look, (L,), at descriptors (L, D)."""
        loss = self.settings.identity * _distance(seen, self.own)
        if self.code:
            loss = loss + self.code * _distance(seen, self.target)
        if self.margins is None:
            return loss
        safe, softness = self.settings.margin, self.settings.softness
        # Grows evenly below what is safe, fades above it.
        lacking = softness * F.softplus((safe - self.margins.of(seen)) / softness)
        return loss + self.margins.weight * lacking.mean(dim=1)

    def safe(self, seen: torch.Tensor) -> torch.Tensor:
        """Whether every margin of every look is enough, ()."""
        if self.margins is None:
            return torch.zeros((), dtype=torch.bool, device=seen.device)
        return (self.margins.of(seen) >= self.settings.enough).all()


@dataclass(frozen=True)
class MarginObjective:
    """See :func:`margin_objective`."""

    goals: tuple[_Goal, ...]

    def __call__(self, features: torch.Tensor, _change: torch.Tensor, /) -> torch.Tensor:
        """Mean loss over the looks at each picture, (B,), at descriptors (L · B, D)."""
        return torch.stack([goal.losses(seen).mean() for goal, seen in self._each(features)])

    def safe(self, features: torch.Tensor) -> torch.Tensor:
        """Whether all looks at a picture are safe, (B,) bool."""
        return torch.stack([goal.safe(seen) for goal, seen in self._each(features)])

    def _each(self, features: torch.Tensor) -> Iterator[tuple[_Goal, torch.Tensor]]:
        count = len(self.goals)
        seen = features.reshape(-1, count, features.shape[1])
        # A copy begins where memory is aligned, whatever the picture's place.
        yield from ((goal, seen[:, n].clone()) for n, goal in enumerate(self.goals))


def margin_objective(
    codebook: Codebook,
    vectors: NDArray[np.float32],
    settings: MarginSettings,
    *,
    device: torch.device,
    cells: NDArray[np.int32] | None = None,
) -> MarginObjective:
    """Keep what the codebook makes of pictures, through the edits that are looked at.

    Parameters
    ----------
    codebook : Codebook
    vectors : array (B, D), float32
        The pictures' own descriptors, of unit length.
    settings : MarginSettings
    device : torch.device
    cells : array (B,), int, optional
        Cells to be in; those of the pictures' own descriptors by default.
    """
    cells = codebook.cells(vectors) if cells is None else cells
    margins = _margins(codebook, settings, device)
    code = _weight_of_code(codebook, settings)
    targets = codebook.decode(cells, codebook.encode(vectors, cells)) if code else vectors
    own, wanted = (torch.tensor(array, device=device) for array in (vectors, targets))
    return MarginObjective(
        tuple(
            _Goal(margins(vector, cell), vector, target, code, settings)
            for vector, target, cell in zip(own, wanted, cells.tolist(), strict=True)
        )
    )


def _distance(seen: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return 1 - F.cosine_similarity(seen, target[None], dim=1)


def _weight_of_code(codebook: Codebook, settings: MarginSettings) -> float:
    if codebook.factory.fine != "PQ":
        return 0.0
    return settings.code if codebook.cell_count > 1 else 1.0


def _margins(
    codebook: Codebook, settings: MarginSettings, device: torch.device
) -> Callable[[torch.Tensor, int], _Margins | None]:
    """Make of a picture's descriptor (D,) and cell what tells how far looks are from leaving."""
    inward = _inward(codebook, device)
    if codebook.factory.fine == "LSH":
        return lambda own, _cell: _of_bits(inward, own.clone(), settings)
    if codebook.cell_count == 1:
        return lambda _own, _cell: None
    coarse = torch.tensor(codebook.arrays["coarse"], device=device)
    half = coarse.square().sum(dim=1) / 2
    return lambda own, cell: _of_cell(inward, coarse, half, own.clone(), cell, settings)


def _inward(codebook: Codebook, device: torch.device) -> _Inward:
    """Give the rotation or reduction in front of the quantizer, (L, D) to (L, d)."""
    arrays = codebook.arrays
    if "rotation" not in arrays:
        return lambda seen: seen
    rotation = torch.tensor(arrays["rotation"], device=device)
    bias = torch.tensor(arrays.get("rotation_bias", np.float32(0)), device=device)
    return lambda seen: seen @ rotation.to(seen).T + bias.to(seen)


def _of_bits(inward: _Inward, own: torch.Tensor, settings: MarginSettings) -> _Margins:
    """Keep every bit's projection away from zero: half of the picture's typical one is safe."""
    projected = inward(own[None])
    signs = torch.where(projected >= 0, 1.0, -1.0)
    typical = projected.square().mean().sqrt()
    scale = settings.margin / (_SAFE_BIT * typical)
    # Projections are on axes at right angles: together they grow by the root of their number.
    weight = signs.numel() ** 0.5 / float(scale)
    return _Margins(lambda seen: inward(seen) * signs * scale, weight)


def _of_cell(
    inward: _Inward,
    coarse: torch.Tensor,
    half: torch.Tensor,
    own: torch.Tensor,
    cell: int,
    settings: MarginSettings,
) -> _Margins:
    """Keep every look in the cell aimed at, away from the walls to the picture's nearest rivals."""
    scores = coarse @ inward(own[None])[0] - half
    scores[cell] = -torch.inf
    near = scores.topk(min(_RIVALS, len(coarse) - 1)).indices
    # The wall between two cells is at right angles to the line between their centroids.
    across = coarse[cell] - coarse[near]
    lengths = across.norm(dim=1).clamp(min=_TINY)
    normals = across / lengths[:, None]
    places = (half[cell] - half[near]) / lengths
    count = min(_NEAREST, len(near))

    def margins(seen: torch.Tensor) -> torch.Tensor:
        distances = inward(seen) @ normals.to(seen).T - places  # (L, R)
        least = distances.topk(count, dim=1, largest=False).values
        soft = torch.logsumexp(-least / settings.rivals, dim=1, keepdim=True)
        return -settings.rivals * soft

    return _Margins(margins)
