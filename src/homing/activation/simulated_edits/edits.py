"""Simulated edits: planned for each step, drawn for each picture, applied in the loop.

Expectation over edits (Athalye et al., "Synthesizing robust adversarial examples", 2018) with few
draws: every step sees each picture through as many edits of tone and of shape as its plan says.
Kinds are dealt like cards, so that a few steps meet each of them. Strengths are drawn from the seed
and the picture's own bytes: no other picture matters.

Letters in the shapes: B pictures, S side of the descriptor's grid, T a larger side, k edits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from homing.activation.simulated_edits import shapes, tones
from homing.activation.simulated_edits.shapes import Matrix

_Floats = NDArray[np.float64]

_ENLARGED = 0.8  # share of the picture below which a copy shows more than the small grid holds
_TOGETHER = 2  # edits that pass through the network at once


@dataclass(frozen=True, kw_only=True)
class EditPlan:
    """Numbers of edited copies that a step sees of each picture."""

    toned: int = 0  # in other colours, blurred or compressed
    shaped: int = 0  # turned, cropped, framed, seen from aside

    def __post_init__(self) -> None:
        if min(self.toned, self.shaped) < 0:
            raise ValueError(f"the numbers of edits in a plan must be at least 0: {self}")

    @property
    def passes(self) -> int:
        """Passes of the network that a picture takes in a step."""
        return max(1, self.toned + self.shaped)


NO_EDITS = EditPlan()
"""One pass of the unedited picture a step, as published."""


@dataclass(frozen=True)
class DrawnEdits:
    """Edits of one picture, drawn for a number of steps; or of several, stacked in front."""

    colours: _Floats  # (..., steps, toned, 3, 3)
    contrast: _Floats  # (..., steps, toned), as the next three
    brightness: _Floats
    sigmas: _Floats
    coding: _Floats
    shapes: _Floats  # (..., steps, shaped, 3, 3)
    fills: _Floats  # (..., steps, shaped, 3)


@dataclass(frozen=True)
class Originals:
    """Unchanged pictures on the descriptor's grid and on a finer one, for edits that enlarge.

    A copy is cut out of the picture, not out of its small grid: of half of the area, enlarged from
    that grid, homing-s makes a descriptor .03 away from that of the copy, a quarter of what the
    crop itself does to it; from twice the grid, .001.
    """

    pictures: torch.Tensor  # (B, 3, S, S)
    finer: torch.Tensor  # (B, 3, T, T)


@dataclass
class _Tone:
    colour: _Floats = field(default_factory=lambda: np.eye(3))
    contrast: float = 1.0
    brightness: float = 1.0
    sigma: float = 0.0
    coding: float = 0.0


def draw_edits(
    plan: EditPlan, steps: int, *, aspect: float, size: int, generator: np.random.Generator
) -> DrawnEdits:
    """Draw the edits of one picture from a generator of its own.

    `aspect` is the upright picture's width over its height, `size` is S.
    """
    drawn_shapes, fills = _draw_shapes(plan.shaped * steps, aspect, generator)
    drawn_tones = _draw_tones(plan.toned * steps, size, generator)

    def numbers(values: Sequence[float]) -> _Floats:
        return np.array(values, np.float64).reshape(steps, plan.toned)

    return DrawnEdits(
        colours=np.array([t.colour for t in drawn_tones]).reshape(steps, plan.toned, 3, 3),
        contrast=numbers([t.contrast for t in drawn_tones]),
        brightness=numbers([t.brightness for t in drawn_tones]),
        sigmas=numbers([t.sigma for t in drawn_tones]),
        coding=numbers([t.coding for t in drawn_tones]),
        shapes=np.array(drawn_shapes).reshape(steps, plan.shaped, 3, 3),
        fills=np.array(fills).reshape(steps, plan.shaped, 3),
    )


def stack_edits(drawn: Sequence[DrawnEdits]) -> DrawnEdits:
    """Stack the edits of several pictures."""
    names = DrawnEdits.__dataclass_fields__
    return DrawnEdits(**{name: np.stack([getattr(d, name) for d in drawn]) for name in names})


def apply_edits(
    pictures: torch.Tensor, drawn: DrawnEdits, step: int, originals: Originals | None = None
) -> Iterator[torch.Tensor]:
    """Yield the edited copies of a step, (k · B, 3, S, S) with k at most two, tones first.

    All pictures come through one edit, then through the next. More at once is no quicker, and the
    gradient needs memory for each. `originals` are the pictures before their change.
    """
    toned, shaped = drawn.colours.shape[2], drawn.shapes.shape[2]
    for first in range(0, toned + shaped, _TOGETHER):
        tones_here = range(first, min(first + _TOGETHER, toned))
        shapes_here = range(max(first - toned, 0), min(first + _TOGETHER - toned, shaped))
        copies = [_toned(pictures, drawn, step, number) for number in tones_here]
        copies += [_shaped(pictures, drawn, step, number, originals) for number in shapes_here]
        yield torch.cat(copies) if len(copies) > 1 else copies[0]


def _toned(pictures: torch.Tensor, drawn: DrawnEdits, step: int, number: int) -> torch.Tensor:
    """Return the pictures through one edit of tone each, which costs what it takes."""
    copies = []
    for place, picture in enumerate(torch.split(pictures, 1)):
        own = place, step, number
        copy = tones.recolour(
            picture, drawn.colours[own], float(drawn.contrast[own]), float(drawn.brightness[own])
        )
        copy = tones.blur(copy, float(drawn.sigmas[own]))
        copies.append(tones.compress(copy, float(drawn.coding[own])))
    return torch.cat(copies)


def _shaped(
    pictures: torch.Tensor,
    drawn: DrawnEdits,
    step: int,
    number: int,
    originals: Originals | None,
) -> torch.Tensor:
    """Return the pictures through one edit of shape each."""
    matrices, fills = (
        torch.from_numpy(np.ascontiguousarray(each[:, step, number])).to(
            pictures.device, pictures.dtype
        )
        for each in (drawn.shapes, drawn.fills)
    )
    fills = fills[:, :, None, None]
    warped = shapes.warp(pictures, matrices, fills)
    return warped if originals is None else warped + _lost_detail(originals, matrices, fills)


def _lost_detail(originals: Originals, matrices: torch.Tensor, fills: torch.Tensor) -> torch.Tensor:
    """Return the detail of the originals that enlarging edits show and the small grid has lost."""
    areas = (matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] * matrices[:, 1, 0]).abs()
    (enlarged,) = torch.nonzero(areas < _ENLARGED, as_tuple=True)
    side = originals.pictures.shape[-1]
    lost = torch.zeros_like(originals.pictures)
    with torch.no_grad():
        some, fill = matrices[enlarged], fills[enlarged]
        fine = shapes.warp(originals.finer[enlarged], some, fill, side=side)
        lost[enlarged] = fine - shapes.warp(originals.pictures[enlarged], some, fill)
    return lost


def _deal(kinds: Sequence[str], count: int, generator: np.random.Generator) -> list[str]:
    """Deal kinds in turns of all of them, each turn in an order of its own."""
    turns = -(-count // len(kinds)) if count else 0
    return [kinds[i] for _ in range(turns) for i in generator.permutation(len(kinds))][:count]


def _draw_factor(generator: np.random.Generator, low: float, high: float) -> float:
    """Draw a factor evenly on the scale of its logarithm."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _draw_tone(kind: str, size: int, generator: np.random.Generator) -> _Tone:
    match kind:
        case "darker":
            return _Tone(brightness=_draw_factor(generator, 0.3, 0.7))
        case "brighter":
            return _Tone(brightness=_draw_factor(generator, 1.4, 2.2))
        case "flatter":
            return _Tone(contrast=_draw_factor(generator, 0.4, 0.7))
        case "harder":
            return _Tone(contrast=_draw_factor(generator, 1.5, 2.4))
        case "hue":
            turn = generator.uniform(0.08, 0.3) * generator.choice([-1, 1])
            return _Tone(colour=tones.colour_matrix(hue=turn))
        case "colours":
            return _Tone(
                colour=tones.colour_matrix(saturation=generator.choice([0.0, 1.8, 2.5])),
                sigma=size / 160 * generator.uniform(0.3, 0.8),
            )
        case _:
            return _Tone(
                sigma=size / 160 * generator.uniform(0.4, 1.6),
                coding=generator.uniform(0.03, 0.15),
            )


_TONES = ("brighter", "darker", "harder", "flatter", "hue", "colours", "soft")


def _draw_tones(count: int, size: int, generator: np.random.Generator) -> list[_Tone]:
    return [_draw_tone(kind, size, generator) for kind in _deal(_TONES, count, generator)]


def _draw_crop(aspect: float, generator: np.random.Generator) -> Matrix:  # noqa: ARG001
    area = generator.uniform(0.3, 0.8)
    stretch = _draw_factor(generator, 0.85, 1 / 0.85)
    across, down = np.minimum(np.sqrt(area) * np.array([stretch, 1 / stretch]), 1.0)
    x, y = generator.uniform(-1, 1, size=2) * generator.choice([0.3, 1.0])
    return shapes.window(across, down, x, y)


def _draw_turn(aspect: float, generator: np.random.Generator) -> Matrix:
    degrees = generator.uniform(12, 40) * generator.choice([-1, 1])
    return shapes.turn(degrees, aspect, expanded=bool(generator.random() < 0.8))


def _draw_quarter_turn(aspect: float, generator: np.random.Generator) -> Matrix:
    return shapes.turn(generator.choice([90, 180, 270], p=[0.45, 0.1, 0.45]), aspect)


def _draw_band(aspect: float, generator: np.random.Generator) -> Matrix:  # noqa: ARG001
    kind, share = generator.random(), generator.uniform(0.2, 0.42)
    if kind < 0.65:
        return shapes.inset(0, share, 1, 1)
    if kind < 0.8:
        return shapes.inset(0, 0, 1, 1 - share)
    sides = generator.uniform(0.0, 0.2, size=4)
    return shapes.inset(sides[0], sides[1], 1 - sides[2], 1 - sides[3])


def _draw_side_view(aspect: float, generator: np.random.Generator) -> Matrix:
    tilt = shapes.keystone(*generator.uniform(-0.18, 0.18, size=2))
    turn = shapes.turn(generator.uniform(-20, 20), aspect)
    return tilt @ shapes.window(0.85, 0.85) @ turn @ shapes.mirror()


_SHAPES: dict[str, Callable[[float, np.random.Generator], Matrix]] = {
    "crop": _draw_crop,
    "turn": _draw_turn,
    "quarter": _draw_quarter_turn,
    "band": _draw_band,
    "aside": _draw_side_view,
}


def _draw_shapes(
    count: int, aspect: float, generator: np.random.Generator
) -> tuple[list[Matrix], list[_Floats]]:
    matrices, fills = [], []
    for kind in _deal(tuple(_SHAPES), count, generator):
        matrices.append(_SHAPES[kind](aspect, generator))
        white = kind == "band" and generator.random() < 0.7
        fills.append(np.full(3, float(white)))
    return matrices, fills
