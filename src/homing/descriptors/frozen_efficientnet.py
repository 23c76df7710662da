"""EfficientNet-Lite0 with fixed weights: to the features, and back to the pixels.

What :func:`~homing.descriptors.efficientnet.efficientnet_lite0` computes, by fewer steps:
activations take the place of what they are computed from, and the backward pass needs no more than
them; nothing is computed for the weights; padding is part of the kernels; and convolutions are laid
out for the fastest of torch's ways to compute them.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from homing.descriptors.efficientnet import BLOCKS, Block, same_padding
from homing.descriptors.pooling import generalised_mean

_Weights = Mapping[str, torch.Tensor]

_MANY = 16  # pictures from which torch computes 1×1 convolutions of one thread by oneDNN


def freeze_lite0(weights: _Weights) -> dict[str, torch.Tensor]:
    """Return weights as stored in float32, with those that only the fixed network has.

    ``.back`` is the kernel that takes a gradient back through a convolution of stride 1, ``.even``
    one that pads an even side at stride 2 by "same": its first row and column are zero.
    """
    frozen = {name: weight.float() for name, weight in weights.items()}
    frozen["trunk.stem.even"] = _even(frozen["trunk.stem.weight"])
    for name, block in _named_blocks():
        depthwise = frozen[f"{name}.d.weight"]
        if block.stride == 1:
            frozen[f"{name}.d.back"] = depthwise.flip(2, 3)
        else:
            frozen[f"{name}.d.even"] = _even(depthwise)
    for name, weight in tuple(frozen.items()):
        if weight.dim() == 4 and weight.shape[2] == 1:
            frozen[f"{name.removesuffix('.weight')}.back"] = weight.transpose(0, 1)
    return frozen


def frozen_lite0(weights: _Weights, inputs: torch.Tensor, power: float = 3.0) -> torch.Tensor:
    """Compute the features (B, D) of inputs (B, 3, S, S), as `efficientnet_lite0` does.

    The weights are those of :func:`freeze_lite0`; the result is differentiable, once, with respect
    to `inputs` alone.
    """
    maps: torch.Tensor = _Trunk.apply(inputs, weights)  # type: ignore[no-untyped-call]
    pooled = generalised_mean(maps, power)
    return F.linear(pooled, weights["projection.weight"], weights["projection.bias"])


class _Trunk(torch.autograd.Function):
    """Maps before the pooling, (B, C, s, s), of inputs (B, 3, S, S)."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, weights: _Weights) -> torch.Tensor:
        kept = [inputs]
        keep = kept.append if ctx.needs_input_grad[0] else lambda _: None
        maps = _relu6(_convolve(inputs, weights, "trunk.stem", stride=2))
        keep(maps)
        for name, block in _named_blocks():
            inner = maps
            if block.expands:
                inner = _relu6(_pointwise(inner, weights, f"{name}.e"))
                keep(inner)
            inner = _relu6(_convolve(inner, weights, f"{name}.d", block.stride, block.expanded))
            keep(inner)
            inner = _pointwise(inner, weights, f"{name}.p")
            maps = inner.add_(maps) if block.residual else inner
        maps = _relu6(_pointwise(maps, weights, "trunk.head"))
        keep(maps)
        ctx.save_for_backward(*kept)
        ctx.weights = weights
        return maps

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        kept, weights = list(ctx.saved_tensors), ctx.weights
        gradient = gradient.clone(memory_format=torch.channels_last)  # the caller's stays
        gradient = _pointwise_back(_relu6_back(gradient, kept.pop()), weights, "trunk.head")
        for name, block in reversed(_named_blocks()):
            inner = _pointwise_back(gradient, weights, f"{name}.p")
            inner = _relu6_back(inner, kept.pop())
            inner = _convolve_back(
                inner, kept[-1], weights, f"{name}.d", block.stride, block.expanded
            )
            if block.expands:
                inner = _pointwise_back(_relu6_back(inner, kept.pop()), weights, f"{name}.e")
            gradient = inner.add_(gradient) if block.residual else inner
        gradient = _relu6_back(gradient, kept.pop())
        return _convolve_back(gradient, kept.pop(), weights, "trunk.stem", 2), None


@cache
def _named_blocks() -> tuple[tuple[str, Block], ...]:
    return tuple((f"trunk.blocks.{number}", block) for number, block in enumerate(BLOCKS))


def _even(weight: torch.Tensor) -> torch.Tensor:
    return F.pad(weight, (1, 0, 1, 0))


def _relu6(maps: torch.Tensor) -> torch.Tensor:
    return maps.clamp_(0, 6)


def _relu6_back(gradient: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
    """Take a gradient, in place, back through the activation that gave `active`."""
    back = torch.ops.aten.hardtanh_backward.grad_input
    found: torch.Tensor = back(gradient, active, 0, 6, grad_input=gradient)
    return found


def _pointwise(maps: torch.Tensor, weights: _Weights, name: str) -> torch.Tensor:
    return _product(maps, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _pointwise_back(gradient: torch.Tensor, weights: _Weights, name: str) -> torch.Tensor:
    return _product(gradient, weights[f"{name}.back"])


def _product(
    maps: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Convolve by kernels of 1×1, (outputs, inputs, 1, 1).

    Of one thread and few pictures torch does not leave this to oneDNN, which takes half of the time
    on some processors. So few pictures are handed over as many parts of pictures.
    """
    count, channels, height, width = maps.shape
    parts = _parts(count, height * width) if maps.device.type == "cpu" else 1
    cut = maps.permute(0, 2, 3, 1).reshape(count * parts, 1, -1, channels).permute(0, 3, 1, 2)
    found = F.conv2d(cut, weight, bias).permute(0, 2, 3, 1)
    return found.reshape(count, height, width, -1).permute(0, 3, 1, 2)


@cache
def _parts(count: int, places: int) -> int:
    """Return into how many equal parts each picture is cut."""
    enough = (n for n in range(1, places) if places % n == 0 and n * count >= _MANY)
    return next(enough, 1)


def _convolve(
    maps: torch.Tensor, weights: _Weights, name: str, stride: int, groups: int = 1
) -> torch.Tensor:
    kernel, padding = _kernel(weights, name, maps.shape[-1], stride)
    return F.conv2d(maps, kernel, weights[f"{name}.bias"], stride, padding, 1, groups)


def _convolve_back(
    gradient: torch.Tensor,
    source: torch.Tensor,
    weights: _Weights,
    name: str,
    stride: int,
    groups: int = 1,
) -> torch.Tensor:
    """Return the gradient at `source`, whose values do not matter, of what it was convolved to."""
    kernel, padding = _kernel(weights, name, source.shape[-1], stride)
    if stride == 1:
        return F.conv2d(gradient, weights[f"{name}.back"], None, 1, padding, 1, groups)
    back = torch.ops.aten.convolution_backward
    steps, borders = [stride] * 2, [padding] * 2
    of_source = [True, False, False]  # and neither of the kernel nor of the bias
    found: torch.Tensor = back(
        gradient, source, kernel, None, steps, borders, [1, 1], False, [0, 0], groups, of_source
    )[0]
    return found


def _kernel(weights: _Weights, name: str, side: int, stride: int) -> tuple[torch.Tensor, int]:
    """Return the kernel for maps of that side, and its padding at each border."""
    weight = weights[f"{name}.weight"]
    before, after = same_padding(side, weight.shape[2], stride)
    return (weight if before == after else weights[f"{name}.even"]), after
