"""What copies will suffer, inside the loop: which edits each step looks at, and looking.

Expectation over edits (Athalye et al., "Synthesizing robust adversarial examples", 2018), with few
draws: every step sees a picture in as many other tones, and other shapes, as its plan says. Kinds
are dealt like cards, so that a handful of steps meets each of them, and strengths are drawn from
the seed and the picture's own bytes: no other picture matters.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from homing.activation.simulated_edits import shapes as warping
from homing.activation.simulated_edits import tones as toning
from homing.activation.simulated_edits.shapes import Matrix

_Floats = NDArray[np.float64]

_ENLARGED = 0.8  # share of the picture below which a look shows more than its squash holds
_TOGETHER = 2  # looks that go through the network at once


@dataclass(frozen=True, kw_only=True)
class EditPlan:
    """How many looks each step takes at a picture.

    Attributes
    ----------
    toned : int
        In other colours, blurred or compressed.
    shaped : int
        Turned, cropped, framed, seen from aside.
    """

    toned: int = 0
    shaped: int = 0

    def __post_init__(self) -> None:
        if min(self.toned, self.shaped) < 0:
            raise ValueError(f"a step cannot look less than never: {self}")

    @property
    def looks(self) -> int:
        """Passes of the network that a picture takes in a step."""
        return max(1, self.toned + self.shaped)


NO_EDITS = EditPlan()
"""One look at the picture as it is, as published."""


@dataclass(frozen=True)
class DrawnEdits:
    """Edits of one picture, drawn for a number of steps; or of several, stacked.

    Attributes
    ----------
    colours : array (..., steps, toned, 3, 3)
    contrast, brightness, sigmas, coding : array (..., steps, toned)
    shapes : array (..., steps, shaped, 3, 3)
    fills : array (..., steps, shaped, 3)
    """

    colours: _Floats
    contrast: _Floats
    brightness: _Floats
    sigmas: _Floats
    coding: _Floats
    shapes: _Floats
    fills: _Floats


@dataclass(frozen=True)
class Detail:
    """Untouched pictures, and the same squashed to a larger square.

    A copy is cut out of the picture, not out of its squash: of half of the area, enlarged from the
    squash, homing-s makes a descriptor .03 away from that of the copy, a quarter of what the crop
    itself does to it; from twice the squash, .001.

    Attributes
    ----------
    pictures : Tensor (B, 3, S, S)
    finer : Tensor (B, 3, T, T)
        T above S.
    """

    pictures: torch.Tensor
    finer: torch.Tensor


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
    """Draw the edits of one picture.

    Parameters
    ----------
    plan : EditPlan
    steps : int
    aspect : float
        Width of the picture over its height, upright.
    size : int
        S, side of the grid.
    generator : numpy.random.Generator
        Of this picture alone.
    """
    shapes, fills = _drawn_shapes(plan.shaped * steps, aspect, generator)
    tones = _drawn_tones(plan.toned * steps, size, generator)

    def numbers(values: Sequence[float]) -> _Floats:
        return np.array(values, np.float64).reshape(steps, plan.toned)

    return DrawnEdits(
        colours=np.array([t.colour for t in tones]).reshape(steps, plan.toned, 3, 3),
        contrast=numbers([t.contrast for t in tones]),
        brightness=numbers([t.brightness for t in tones]),
        sigmas=numbers([t.sigma for t in tones]),
        coding=numbers([t.coding for t in tones]),
        shapes=np.array(shapes).reshape(steps, plan.shaped, 3, 3),
        fills=np.array(fills).reshape(steps, plan.shaped, 3),
    )


def stack_edits(drawn: Sequence[DrawnEdits]) -> DrawnEdits:
    """Stack the edits of several pictures."""
    names = DrawnEdits.__dataclass_fields__
    return DrawnEdits(**{name: np.stack([getattr(d, name) for d in drawn]) for name in names})


def looks(
    pictures: torch.Tensor, drawn: DrawnEdits, step: int, detail: Detail | None = None
) -> Iterator[torch.Tensor]:
    """Look at pictures through the edits of a step.

    Parameters
    ----------
    pictures : Tensor (B, 3, S, S)
        RGB in [0, 1].
    drawn : DrawnEdits
        Of these pictures, stacked.
    step : int
    detail : Detail, optional
        What the pictures were before they were changed.

    Yields
    ------
    Tensor (k · B, 3, S, S)
        All pictures at one look, then at the next, k of them, at most two: a network is no quicker
        with more, and what its gradient needs is held for so many only. Tones first.
    """

    def of_step(values: _Floats, chosen: slice) -> torch.Tensor:
        moved = np.moveaxis(values[:, step, chosen], 0, 1)  # (k, B, ...)
        flat = np.ascontiguousarray(moved).reshape(-1, *moved.shape[2:])
        return torch.from_numpy(flat).to(pictures.device, pictures.dtype)

    for chosen in _groups(drawn.colours.shape[2]):
        number = chosen.stop - chosen.start
        tinted = toning.recoloured(
            pictures.repeat(number, 1, 1, 1),
            of_step(drawn.colours, chosen),
            of_step(drawn.contrast, chosen)[:, None, None, None],
            of_step(drawn.brightness, chosen)[:, None, None, None],
        )
        blurred = toning.blurred(tinted, of_step(drawn.sigmas, chosen))
        yield toning.coded(blurred, of_step(drawn.coding, chosen))
    for chosen in _groups(drawn.shapes.shape[2]):
        number = chosen.stop - chosen.start
        shapes, fills = (
            of_step(drawn.shapes, chosen),
            of_step(drawn.fills, chosen)[:, :, None, None],
        )
        seen = warping.warp(pictures.repeat(number, 1, 1, 1), shapes, fills)
        yield seen if detail is None else seen + _lost(detail, shapes, fills)


def _lost(detail: Detail, shapes: torch.Tensor, fills: torch.Tensor) -> torch.Tensor:
    """What enlarging looks would show of the untouched pictures, had they not been squashed."""
    areas = (shapes[:, 0, 0] * shapes[:, 1, 1] - shapes[:, 0, 1] * shapes[:, 1, 0]).abs()
    (enlarged,) = torch.nonzero(areas < _ENLARGED, as_tuple=True)
    owner = enlarged % len(detail.pictures)  # the pictures come once for each look
    side = detail.pictures.shape[-1]
    lost = detail.pictures.new_zeros(len(shapes), *detail.pictures.shape[1:])
    with torch.no_grad():
        some, fill = shapes[enlarged], fills[enlarged]
        fine = warping.warp(detail.finer[owner], some, fill, side=side)
        lost[enlarged] = fine - warping.warp(detail.pictures[owner], some, fill)
    return lost


def _groups(count: int) -> list[slice]:
    return [slice(i, min(i + _TOGETHER, count)) for i in range(0, count, _TOGETHER)]


def _dealt(kinds: Sequence[str], count: int, generator: np.random.Generator) -> list[str]:
    """Deal kinds in turns of all of them, each turn in an order of its own."""
    turns = -(-count // len(kinds)) if count else 0
    return [kinds[i] for _ in range(turns) for i in generator.permutation(len(kinds))][:count]


def _between(generator: np.random.Generator, low: float, high: float) -> float:
    """Draw a factor evenly on the scale of its logarithm."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _toned(kind: str, size: int, generator: np.random.Generator) -> _Tone:
    match kind:
        case "darker":
            return _Tone(brightness=_between(generator, 0.3, 0.7))
        case "brighter":
            return _Tone(brightness=_between(generator, 1.4, 2.2))
        case "flatter":
            return _Tone(contrast=_between(generator, 0.4, 0.7))
        case "harder":
            return _Tone(contrast=_between(generator, 1.5, 2.4))
        case "hue":
            turn = generator.uniform(0.08, 0.3) * generator.choice([-1, 1])
            return _Tone(colour=toning.colour_matrix(hue=turn))
        case "colours":
            return _Tone(
                colour=toning.colour_matrix(saturation=generator.choice([0.0, 1.8, 2.5])),
                sigma=size / 160 * generator.uniform(0.3, 0.8),
            )
        case _:
            return _Tone(
                sigma=size / 160 * generator.uniform(0.4, 1.6),
                coding=generator.uniform(0.03, 0.15),
            )


_TONES = ("brighter", "darker", "harder", "flatter", "hue", "colours", "soft")


def _drawn_tones(count: int, size: int, generator: np.random.Generator) -> list[_Tone]:
    return [_toned(kind, size, generator) for kind in _dealt(_TONES, count, generator)]


def _crop(aspect: float, generator: np.random.Generator) -> Matrix:  # noqa: ARG001
    area = generator.uniform(0.3, 0.8)
    stretch = _between(generator, 0.85, 1 / 0.85)
    across, down = np.minimum(np.sqrt(area) * np.array([stretch, 1 / stretch]), 1.0)
    x, y = generator.uniform(-1, 1, size=2) * generator.choice([0.3, 1.0])
    return warping.window(across, down, x, y)


def _turn(aspect: float, generator: np.random.Generator) -> Matrix:
    degrees = generator.uniform(12, 40) * generator.choice([-1, 1])
    return warping.turned(degrees, aspect, expanded=bool(generator.random() < 0.8))


def _quarter(aspect: float, generator: np.random.Generator) -> Matrix:
    return warping.turned(generator.choice([90, 180, 270], p=[0.45, 0.1, 0.45]), aspect)


def _band(aspect: float, generator: np.random.Generator) -> Matrix:  # noqa: ARG001
    kind, share = generator.random(), generator.uniform(0.2, 0.42)
    if kind < 0.65:
        return warping.inset(0, share, 1, 1)
    if kind < 0.8:
        return warping.inset(0, 0, 1, 1 - share)
    sides = generator.uniform(0.0, 0.2, size=4)
    return warping.inset(sides[0], sides[1], 1 - sides[2], 1 - sides[3])


def _aside(aspect: float, generator: np.random.Generator) -> Matrix:
    tilt = warping.keystone(*generator.uniform(-0.18, 0.18, size=2))
    turn = warping.turned(generator.uniform(-20, 20), aspect)
    return tilt @ warping.window(0.85, 0.85) @ turn @ warping.mirrored()


_SHAPES: dict[str, Callable[[float, np.random.Generator], Matrix]] = {
    "crop": _crop,
    "turn": _turn,
    "quarter": _quarter,
    "band": _band,
    "aside": _aside,
}


def _drawn_shapes(
    count: int, aspect: float, generator: np.random.Generator
) -> tuple[list[Matrix], list[_Floats]]:
    shapes, fills = [], []
    for kind in _dealt(tuple(_SHAPES), count, generator):
        shapes.append(_SHAPES[kind](aspect, generator))
        white = kind == "band" and generator.random() < 0.7
        fills.append(np.full(3, float(white)))
    return shapes, fills
