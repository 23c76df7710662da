"""How safely descriptors keep what a codebook made of a picture, for every kind of codebook.

A codebook cuts space by walls: between cells (IVF), between a bit's values (LSH). A *goal* tells
how far a descriptor is from leaving, and how much that is wished to be mended. Where there are no
walls that matter, because distances to the code's own reconstruction decide (a product quantizer),
the goal is that reconstruction.

Letters in the shapes: B pictures, L looks at each, D descriptor, d what is quantized, R rivals.

Every picture has a goal of its own: were all worked out in one operation, a picture's last bits
would depend on its place among the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from homing.activation.objective import Objective
from homing.codebooks import Codebook

__all__ = ["MarginSettings", "margin_objective"]

#: Descriptors (L, D) of looks at a picture to a loss of each look, (L,).
Goal = Callable[[torch.Tensor], torch.Tensor]

_Inward = Callable[[torch.Tensor], torch.Tensor]

_RIVALS = 256  # cells near enough to a picture's own that an edit may lead there
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
    softness: float = 0.05
    rivals: float = 0.02
    identity: float = 0.2
    code: float = 0.05


def margin_objective(
    codebook: Codebook,
    vectors: NDArray[np.float32],
    settings: MarginSettings,
    *,
    device: torch.device,
) -> Objective:
    """Keep what the codebook made of pictures, through the edits that are looked at.

    Parameters
    ----------
    codebook : Codebook
    vectors : array (B, D), float32
        The pictures' own descriptors, of unit length.
    settings : MarginSettings
    device : torch.device
    """
    kept = _kept(codebook, settings, device)
    code = _weight_of_code(codebook, settings)
    cells, targets = codebook.cells(vectors), codebook.target(vectors)

    def of_picture(number: int) -> Goal:
        own = torch.tensor(vectors[number], device=device)
        target = torch.tensor(targets[number], device=device)
        stays = kept(own, int(cells[number]))

        def goal(seen: torch.Tensor) -> torch.Tensor:
            loss = stays(seen) + settings.identity * _distance(seen, own)
            return loss + code * _distance(seen, target) if code else loss

        return goal

    goals = [of_picture(number) for number in range(len(vectors))]

    def objective(features: torch.Tensor, _change: torch.Tensor) -> torch.Tensor:
        seen = features.reshape(-1, *vectors.shape)
        # A copy begins where memory is aligned, whatever the picture's place.
        return torch.stack([goal(seen[:, n].clone()).mean() for n, goal in enumerate(goals)])

    return objective


def _distance(seen: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return 1 - F.cosine_similarity(seen, target[None], dim=1)


def _hinge(margins: torch.Tensor, safe: float, softness: float) -> torch.Tensor:
    """Grow evenly below what is safe, fade above it."""
    return softness * F.softplus((safe - margins) / softness)


def _weight_of_code(codebook: Codebook, settings: MarginSettings) -> float:
    if codebook.factory.fine != "PQ":
        return 0.0
    return settings.code if codebook.cell_count > 1 else 1.0


def _kept(
    codebook: Codebook, settings: MarginSettings, device: torch.device
) -> Callable[[torch.Tensor, int], Goal]:
    """Make of a picture's descriptor (D,) and cell what it costs to leave."""
    inward = _inward(codebook, device)
    if codebook.factory.fine == "LSH":
        return lambda own, _cell: _bits(inward, own)
    if codebook.cell_count == 1:
        return lambda _own, _cell: lambda seen: seen.new_zeros(len(seen))
    coarse = torch.tensor(codebook.arrays["coarse"], device=device)
    half = coarse.square().sum(dim=1) / 2
    return lambda own, cell: _cell(inward, coarse, half, inward(own[None])[0], cell, settings)


def _inward(codebook: Codebook, device: torch.device) -> _Inward:
    """Give the rotation or reduction in front of the quantizer, (L, D) to (L, d)."""
    arrays = codebook.arrays
    if "rotation" not in arrays:
        return lambda seen: seen
    rotation = torch.tensor(arrays["rotation"], device=device)
    bias = torch.tensor(arrays.get("rotation_bias", np.float32(0)), device=device)
    return lambda seen: seen @ rotation.to(seen).T + bias.to(seen)


def _bits(inward: _Inward, own: torch.Tensor) -> Goal:
    """Keep every bit's projection away from zero, by half of the picture's typical one."""
    projected = inward(own[None])
    signs = torch.where(projected >= 0, 1.0, -1.0)
    typical = projected.square().mean().sqrt()

    def goal(seen: torch.Tensor) -> torch.Tensor:
        shares = inward(seen) * signs / typical
        return _hinge(shares, _SAFE_BIT, _SAFE_BIT / 2).mean(dim=1)

    return goal


def _cell(
    inward: _Inward,
    coarse: torch.Tensor,
    half: torch.Tensor,
    vector: torch.Tensor,
    cell: int,
    settings: MarginSettings,
) -> Goal:
    """Keep every look in the picture's own cell, away from the walls to its nearest rivals."""
    scores = coarse @ vector - half
    scores[cell] = -torch.inf
    near = scores.topk(min(_RIVALS, len(coarse) - 1)).indices
    # The wall between two cells is at right angles to the line between their centroids.
    across = coarse[cell] - coarse[near]
    lengths = across.norm(dim=1).clamp(min=_TINY)
    normals = across / lengths[:, None]
    places = (half[cell] - half[near]) / lengths
    count = min(_NEAREST, len(near))

    def goal(seen: torch.Tensor) -> torch.Tensor:
        distances = inward(seen) @ normals.to(seen).T - places  # (L, R)
        least = distances.topk(count, dim=1, largest=False).values
        margins = -settings.rivals * torch.logsumexp(-least / settings.rivals, dim=1)
        return _hinge(margins, settings.margin, settings.softness)

    return goal
