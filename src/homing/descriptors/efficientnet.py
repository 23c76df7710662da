"""EfficientNet-Lite0, written from its published table, batch normalisation folded in.

Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019; the
Lite variants drop squeeze-and-excite and use ReLU6. The weights come from TensorFlow, so padding is
TensorFlow's "same": at stride 2 it may be one pixel more at the right and the bottom.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from homing.descriptors.pooling import generalised_mean

#: (expansion, channels out, repeats, stride of the first, kernel), as published.
_TABLE = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_STEM, _HEAD = 32, 1280


@dataclass(frozen=True)
class Block:
    """An inverted bottleneck: expand (1×1), depthwise (k×k), project (1×1).

    Without an expansion `expanded` equals `inputs`.
    """

    inputs: int  # channels before, inside and after
    expanded: int
    outputs: int
    stride: int  # of the depthwise convolution, as is the kernel
    kernel: int

    @property
    def expands(self) -> bool:
        """Return whether the block has an expansion."""
        return self.expanded != self.inputs

    @property
    def residual(self) -> bool:
        """Return whether the block's input is added to its output."""
        return self.stride == 1 and self.inputs == self.outputs


def _blocks() -> tuple[Block, ...]:
    found, inputs = [], _STEM
    for expansion, outputs, repeats, first_stride, kernel in _TABLE:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            found.append(Block(inputs, inputs * expansion, outputs, stride, kernel))
            inputs = outputs
    return tuple(found)


BLOCKS: tuple[Block, ...] = _blocks()


def efficientnet_lite0_shapes(dimension: int) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the weights of trunk and projection.

    Names are ``trunk.stem``, ``trunk.blocks.N.{e,d,p}`` (expand, depthwise, project; block 0 has no
    ``e``), ``trunk.head`` and ``projection``, each ``.weight`` and ``.bias``.
    """
    weights: dict[str, tuple[int, ...]] = {"trunk.stem": (_STEM, 3, 3, 3)}
    for number, block in enumerate(BLOCKS):
        name = f"trunk.blocks.{number}"
        if block.expands:
            weights[f"{name}.e"] = (block.expanded, block.inputs, 1, 1)
        weights[f"{name}.d"] = (block.expanded, 1, block.kernel, block.kernel)
        weights[f"{name}.p"] = (block.outputs, block.expanded, 1, 1)
    weights["trunk.head"] = (_HEAD, BLOCKS[-1].outputs, 1, 1)
    weights["projection"] = (dimension, _HEAD)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in weights.items():
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = shape[:1]
    return shapes


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "same" padding of one side: before and after, the odd pixel after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _convolve(
    inputs: torch.Tensor,
    weights: Mapping[str, torch.Tensor],
    name: str,
    *,
    stride: int = 1,
    depthwise: bool = False,
) -> torch.Tensor:
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    height, width = inputs.shape[-2:]
    top, bottom = same_padding(height, weight.shape[2], stride)
    left, right = same_padding(width, weight.shape[3], stride)
    groups = weight.shape[0] if depthwise else 1
    if (top, left) == (bottom, right):  # padding inside the convolution copies nothing
        return F.conv2d(inputs, weight, bias, stride, (top, left), 1, groups)
    padded = F.pad(inputs, (left, right, top, bottom))
    return F.conv2d(padded, weight, bias, stride, 0, 1, groups)


def efficientnet_lite0(
    weights: Mapping[str, torch.Tensor], inputs: torch.Tensor, power: float = 3.0
) -> torch.Tensor:
    """Compute the features (B, D) of inputs (B, 3, S, S) by the input rule, in [-1, 1].

    Trunk, generalised-mean pooling of that power and projection; the caller normalises the result.
    The weights are named as by :func:`efficientnet_lite0_shapes`, all of the inputs' dtype and
    device.
    """
    maps = F.relu6(_convolve(inputs, weights, "trunk.stem", stride=2))
    for number, block in enumerate(BLOCKS):
        name = f"trunk.blocks.{number}"
        inner = maps
        if block.expands:
            inner = F.relu6(_convolve(inner, weights, f"{name}.e"))
        inner = F.relu6(_convolve(inner, weights, f"{name}.d", stride=block.stride, depthwise=True))
        inner = _convolve(inner, weights, f"{name}.p")
        maps = maps + inner if block.residual else inner
    maps = F.relu6(_convolve(maps, weights, "trunk.head"))
    pooled = generalised_mean(maps, power)
    return F.linear(pooled, weights["projection.weight"], weights["projection.bias"])
