"""Methods of activation: settings of the loop and an objective, under a name."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from homing.activation.loop import LoopSettings
from homing.activation.masking.perceptual import PUBLISHED, Masking
from homing.activation.masking.texture import UNSEEN
from homing.activation.objectives.margins import MarginSettings, margin_objective
from homing.activation.objectives.objective import Objective, Targets, reconstruction_objective
from homing.activation.simulated_edits.edits import NO_EDITS, EditPlan
from homing.errors import UsageError

_SHRUNK = 0.37  # share that is left of a change that was safe at every step


@dataclass(frozen=True)
class Method:
    """A way to activate."""

    name: str  # as given to ``--method``
    summary: str  # one line for a list
    settings: LoopSettings
    #: Makes the objective of a batch from its targets in one codebook.
    objective: Callable[[Targets, LoopSettings, torch.device], Objective]
    masking: Masking = PUBLISHED
    #: Least SSIMULACRA2 of every file against its source, at the cost of change. A file whose
    #: coding alone takes more, such as a JPEG written from a PNG, may be below it.
    least_visible: float | None = None
    #: Simulated edits whose mean descriptor, with the picture's own, decides the target cell; none:
    #: the picture's own decides.
    lookahead: EditPlan = NO_EDITS


def _published_objective(
    targets: Targets, settings: LoopSettings, device: torch.device
) -> Objective:
    reconstructions = torch.from_numpy(targets.codebook.target(targets.vectors)).to(device)
    return reconstruction_objective(reconstructions, distortion_weight=settings.distortion_weight)


def _margin_objective(targets: Targets, _settings: LoopSettings, device: torch.device) -> Objective:
    return margin_objective(targets, MarginSettings(), device)


def _robust(name: str, summary: str, steps: int) -> Method:
    return Method(
        name=name,
        summary=summary,
        settings=LoopSettings(
            steps=steps,
            rate=0.2,
            final_rate=0.3,
            momentum=0.7,
            # Many steps of few edits: the momentum gathers more edits than a step could take.
            edits=EditPlan(toned=1, shaped=1),
            shrink=_SHRUNK ** (1 / steps),
            strength=0.45,
            saturating=False,
        ),
        objective=_margin_objective,
        masking=UNSEEN,
        least_visible=84.0,
        lookahead=EditPlan(toned=2, shaped=2),
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
            "away from the cell's walls, through edits in the loop: 16 steps of two edited views",
            steps=16,
        ),
        _robust("robust-fast", "the same in eight steps of two edited views", steps=8),
        _robust("robust-thorough", "the same in thirty-two steps of two edited views", steps=32),
    )
}


def find_method(name: str) -> Method:
    """Return the method of that name; `UsageError` lists the known ones."""
    try:
        return METHODS[name]
    except KeyError:
        known = ", ".join(sorted(METHODS))
        raise UsageError(f"no activation method is called {name!r}; known: {known}") from None
