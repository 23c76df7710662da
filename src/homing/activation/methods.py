"""Named methods of activation: a loop's settings and its objective, under a name."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from homing.activation.loop import LoopSettings
from homing.activation.masking.perceptual import PUBLISHED, Masking
from homing.activation.masking.texture import GUARDED
from homing.activation.objectives.margins import MarginSettings, margin_objective
from homing.activation.objectives.objective import Objective, reconstruction_objective
from homing.activation.simulated_edits.looks import NO_EDITS, EditPlan
from homing.codebooks import Codebook
from homing.errors import UsageError

_Vectors = NDArray[np.float32]
_Cells = NDArray[np.int32]

_EASED = 0.37  # what is left of a change that was safe at every step


@dataclass(frozen=True)
class Method:
    """A way to activate.

    Attributes
    ----------
    name : str
        What ``--method`` calls it.
    summary : str
        One line for a list.
    settings : LoopSettings
        How its loop runs.
    objective : callable
        From the codebook, the pictures' descriptors (B, D), the cells aimed at (B,), the settings
        and the device to the objective of a batch.
    masking : Masking
        Where changes hide.
    least_ssim : float or None
        Structural similarity that every file is to keep to its source, at the cost of change.
        Where coding alone takes that much, as of a JPEG of low quality, it may end below.
    foreseen : EditPlan
        Looks at a picture whose mean descriptor tells the cell to aim at; none: its own does.
    """

    name: str
    summary: str
    settings: LoopSettings
    objective: Callable[[Codebook, _Vectors, _Cells, LoopSettings, torch.device], Objective]
    masking: Masking = PUBLISHED
    least_ssim: float | None = None
    foreseen: EditPlan = NO_EDITS


def _published_objective(
    codebook: Codebook,
    vectors: _Vectors,
    _cells: _Cells,
    settings: LoopSettings,
    device: torch.device,
) -> Objective:
    targets = torch.from_numpy(codebook.target(vectors)).to(device)
    return reconstruction_objective(targets, distortion_weight=settings.distortion_weight)


def _margin_objective(
    codebook: Codebook,
    vectors: _Vectors,
    cells: _Cells,
    _settings: LoopSettings,
    device: torch.device,
) -> Objective:
    return margin_objective(codebook, vectors, MarginSettings(), device=device, cells=cells)


def _robust(name: str, summary: str, steps: int) -> Method:
    return Method(
        name=name,
        summary=summary,
        settings=LoopSettings(
            steps=steps,
            rate=0.2,
            final_rate=0.3,
            momentum=0.7,
            # Many steps of few looks: the momentum gathers more looks than a step could take.
            edits=EditPlan(toned=1, shaped=1),
            ease=_EASED ** (1 / steps),
            strength=1.5,
        ),
        objective=_margin_objective,
        masking=GUARDED,
        least_ssim=0.95,
        foreseen=EditPlan(toned=2, shaped=2),
    )


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="paper",
            summary="Fernandez et al. 2023: ten steps of Adam towards the codebook's "
            "reconstruction",
            settings=LoopSettings(),
            objective=_published_objective,
        ),
        _robust(
            "robust",
            "away from the cell's walls, through edits in the loop: sixteen steps of two looks",
            steps=16,
        ),
        _robust(
            "robust-fast",
            "the same in eight steps of two looks",
            steps=8,
        ),
        _robust(
            "robust-thorough",
            "the same in thirty-two steps of two looks",
            steps=32,
        ),
    )
}


def find_method(name: str) -> Method:
    """Return the method of that name; `UsageError` names the known ones."""
    try:
        return METHODS[name]
    except KeyError:
        known = ", ".join(sorted(METHODS))
        raise UsageError(f"no activation method is called {name!r}; known: {known}") from None
