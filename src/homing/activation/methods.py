"""Named methods of activation: a loop's settings and its objective, under a name."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from homing.activation.loop import ActivationSettings
from homing.activation.objective import Objective, reconstruction_objective
from homing.errors import UsageError

__all__ = ["DEFAULT_METHOD", "METHODS", "Method", "find_method"]


@dataclass(frozen=True)
class Method:
    """A way to activate.

    Attributes
    ----------
    name : str
        What ``--method`` calls it.
    summary : str
        One line for a list.
    settings : ActivationSettings
        How its loop runs.
    objective : callable
        From the targets (B, D) and the settings to the objective of a batch.
    """

    name: str
    summary: str
    settings: ActivationSettings
    objective: Callable[[torch.Tensor, ActivationSettings], Objective]


def _published_objective(targets: torch.Tensor, settings: ActivationSettings) -> Objective:
    return reconstruction_objective(targets, distortion_weight=settings.distortion_weight)


METHODS: dict[str, Method] = {
    "paper": Method(
        name="paper",
        summary="Fernandez et al. 2023: ten steps of Adam towards the codebook's reconstruction",
        settings=ActivationSettings(),
        objective=_published_objective,
    ),
}

DEFAULT_METHOD = "paper"


def find_method(name: str) -> Method:
    """Return the method of that name; `UsageError` names the known ones."""
    try:
        return METHODS[name]
    except KeyError:
        known = ", ".join(sorted(METHODS))
        raise UsageError(f"no activation method is called {name!r}; known: {known}") from None
