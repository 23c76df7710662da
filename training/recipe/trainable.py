"""The network in training: named tensors, some of them fixed, and their running mean."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from homing.descriptors.efficientnet import BLOCKS, efficientnet_lite0, efficientnet_lite0_shapes

Weights = Mapping[str, torch.Tensor]

#: Maps weights, pixels (B, 3, S, S) in [-1, 1] and the pooling power to features (B, D), like
#: :func:`~homing.descriptors.efficientnet.efficientnet_lite0`. The weights of the last layer are
#: named ``projection.weight`` and ``projection.bias``.
Network = Callable[[Weights, torch.Tensor, float], torch.Tensor]


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read the weights of a file as float32, channels last; names and shapes are checked."""
    stored = load_file(path)
    dimension = stored["projection.weight"].shape[0]
    shapes = efficientnet_lite0_shapes(dimension)
    assert {n: tuple(t.shape) for n, t in stored.items()} == shapes, (
        f"{path}: names or shapes differ from EfficientNet-Lite0's"
    )
    return {name: _to_layout(weight.float()) for name, weight in stored.items()}


def _to_layout(weight: torch.Tensor) -> torch.Tensor:
    layout = torch.channels_last if weight.dim() == 4 else torch.contiguous_format
    return weight.contiguous(memory_format=layout)


def save_weights(weights: Weights, path: Path) -> None:
    """Write weights in half precision, as the package ships them."""
    half = {name: weight.detach().half().contiguous() for name, weight in weights.items()}
    save_file(half, path, metadata={"format": "pt"})


def start_weights(
    weights: Weights, *, frozen_blocks: int, device: torch.device
) -> dict[str, torch.Tensor]:
    """Copy weights for training: all but the stem and the first blocks require a gradient.

    Normalisation is folded in and not trained. The first blocks detect edges and colours, and take
    most of the backward pass.
    """
    frozen = ("trunk.stem.", *(f"trunk.blocks.{i}." for i in range(frozen_blocks)))
    assert 0 <= frozen_blocks <= len(BLOCKS)
    copies = {}
    for name, weight in weights.items():
        copied = _to_layout(weight.detach().clone().to(device))
        fixed = frozen_blocks > 0 and name.startswith(frozen)
        copies[name] = copied if fixed else copied.requires_grad_()
    return copies


def parameter_groups(
    weights: Weights, *, rate: float, decay: float, head_factor: float
) -> list[dict]:
    """Return the optimiser's groups: the projection learns faster, biases do not decay."""
    trained = {n: w for n, w in weights.items() if w.requires_grad}

    def group(names: Iterable[str], factor: float, weight_decay: float) -> dict:
        chosen = [trained[name] for name in names]
        return {
            "params": chosen,
            "lr": rate * factor,
            "peak": rate * factor,
            "weight_decay": weight_decay,
        }

    matrices = [n for n in trained if n.endswith(".weight") and n != "projection.weight"]
    biases = [n for n in trained if n.endswith(".bias") and n != "projection.bias"]
    return [
        group(matrices, 1.0, decay),
        group(biases, 1.0, 0.0),
        group(["projection.weight"], head_factor, decay),
        group(["projection.bias"], head_factor, 0.0),
    ]


def describe(
    weights: Weights,
    views: torch.Tensor,
    network: Network = efficientnet_lite0,
    *,
    power: float = 3.0,
) -> torch.Tensor:
    """Return unit descriptors (B, D), float32, of views (B, S, S, 3), uint8."""
    device = weights["projection.weight"].device
    pixels = views.to(device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        features = network(weights, pixels, power)
    return F.normalize(features.float())


@torch.no_grad()
def average_into(mean: Mapping[str, torch.Tensor], weights: Weights, decay: float) -> None:
    """Move the running mean towards the weights."""
    for name, weight in weights.items():
        if weight.requires_grad:
            mean[name].lerp_(weight, 1 - decay)
