"""Networks from prepared pixels to features: an architecture with weights, or a script."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from homing.descriptors.efficientnet import efficientnet_lite0_shapes
from homing.descriptors.frozen_efficientnet import freeze_lite0, frozen_lite0
from homing.descriptors.resnet import fold_resnet50, resnet50, resnet50_shapes
from homing.errors import DescriptorError

_NAMES_SHOWN = 5


@dataclass(frozen=True)
class Architecture:
    """A network whose weights come from a file."""

    name: str  # as in config.json
    # Dimension -> name and shape of every weight in the file.
    shapes: Callable[[int], dict[str, tuple[int, ...]]]
    # Weights as stored -> weights for `apply`.
    prepare: Callable[[Mapping[str, torch.Tensor]], dict[str, torch.Tensor]]
    # (weights, inputs (B, 3, S, S), pooling power) -> features (B, D).
    apply: Callable[[Mapping[str, torch.Tensor], torch.Tensor, float], torch.Tensor]


def _without_backbone(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return fold_resnet50({name.removeprefix("backbone."): w for name, w in weights.items()})


def _under_backbone(dimension: int) -> dict[str, tuple[int, ...]]:
    return {f"backbone.{name}": shape for name, shape in resnet50_shapes(dimension).items()}


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        architecture.name: architecture
        for architecture in (
            Architecture(
                "efficientnet-lite0", efficientnet_lite0_shapes, freeze_lite0, frozen_lite0
            ),
            Architecture("resnet50", _under_backbone, _without_backbone, resnet50),
        )
    }
)


@dataclass(frozen=True, eq=False)
class WeightedNetwork:
    """An architecture with fixed weights, none of which requires a gradient."""

    architecture: Architecture
    weights: Mapping[str, torch.Tensor]  # prepared
    power: float = 3.0  # of the generalised-mean pooling

    def __call__(self, inputs: torch.Tensor, /) -> torch.Tensor:
        """Features (B, D) of inputs (B, 3, S, S)."""
        return self.architecture.apply(self.weights, inputs, self.power)

    def to(self, device: torch.device, dtype: torch.dtype) -> "WeightedNetwork":
        """Copy to another device or precision."""
        moved = {name: w.to(device=device, dtype=dtype) for name, w in self.weights.items()}
        return WeightedNetwork(self.architecture, MappingProxyType(moved), self.power)


def _list_names(names: list[str]) -> str:
    rest = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _check(
    stored: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]], source: str
) -> None:
    faults = []
    if missing := [name for name in shapes if name not in stored]:
        faults.append(f"missing: {_list_names(missing)}")
    if foreign := [name for name in stored if name not in shapes]:
        faults.append(f"unexpected: {_list_names(foreign)}")
    wrong = [
        f"{name} {tuple(stored[name].shape)} instead of {shape}"
        for name, shape in shapes.items()
        if name in stored and tuple(stored[name].shape) != shape
    ]
    if wrong:
        faults.append(f"of the wrong shape: {_list_names(wrong)}")
    if not faults:
        bad = [n for n in shapes if not bool(torch.isfinite(stored[n]).all())]
        if bad:
            faults.append(f"with values that are not finite numbers: {_list_names(bad)}")
    if faults:
        raise DescriptorError(
            f"{source}: not the weights of this network; {'; '.join(faults)}. "
            "Use the file that the descriptor was published with, or name the right architecture."
        )


def weighted_network(
    architecture: Architecture,
    stored: Mapping[str, torch.Tensor],
    dimension: int,
    *,
    power: float = 3.0,
    source: str,
) -> WeightedNetwork:
    """Make a network of all weights of a file, in any floating-point precision, strictly.

    The network is in float32 on the CPU, kernels laid out channels last. A
    :class:`DescriptorError` names the weights of `source` that are missing, unexpected, of the
    wrong shape or not finite.
    """
    _check(stored, architecture.shapes(dimension), source)
    weights = {}
    for name, weight in architecture.prepare(stored).items():
        # Channels last halves the time of convolutions on a CPU.
        layout = torch.channels_last if weight.dim() == 4 else torch.contiguous_format
        weights[name] = weight.detach().contiguous(memory_format=layout)
    return WeightedNetwork(architecture, MappingProxyType(weights), power)


@dataclass(frozen=True, eq=False)
class ScriptedNetwork:
    """A TorchScript module in evaluation mode, its parameters fixed."""

    module: Any

    def __call__(self, inputs: torch.Tensor, /) -> torch.Tensor:
        """Features (B, D) of inputs (B, 3, S, S)."""
        features: torch.Tensor = self.module(inputs)
        return features

    def to(self, device: torch.device, dtype: torch.dtype) -> "ScriptedNetwork":
        """Copy to another device or precision."""
        return ScriptedNetwork(copy.deepcopy(self.module).to(device=device, dtype=dtype))
