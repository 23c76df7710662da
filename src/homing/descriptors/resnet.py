"""ResNet-50 with generalised-mean pooling, in torchvision's key layout.

He et al., "Deep residual learning for image recognition", 2016, in the variant of all common
weights: a bottleneck halves the picture in its 3×3 convolution. The published SSCD descriptors
(Pizzi et al., "A self-supervised descriptor for image copy detection", 2022) are this network with
pooling power 3 and a linear layer to 512, their keys under ``backbone.``.
"""

from collections.abc import Mapping

import torch
from torch.nn import functional as F

from homing.descriptors.pooling import generalised_mean

#: (name, bottlenecks, inner width, stride of the first)
_LAYERS = (
    ("layer1", 3, 64, 1),
    ("layer2", 4, 128, 2),
    ("layer3", 6, 256, 2),
    ("layer4", 3, 512, 2),
)
_EXPANSION = 4
_EPSILON = 1e-5  # of the batch normalisation


def _convolutions() -> dict[str, tuple[str, tuple[int, int, int, int]]]:
    """Return each convolution's name with its normalisation's name and its weight's shape."""
    found = {"conv1": ("bn1", (64, 3, 7, 7))}
    inputs = 64
    for layer, count, width, _ in _LAYERS:
        outputs = width * _EXPANSION
        for number in range(count):
            name = f"{layer}.{number}"
            found[f"{name}.conv1"] = (f"{name}.bn1", (width, inputs, 1, 1))
            found[f"{name}.conv2"] = (f"{name}.bn2", (width, width, 3, 3))
            found[f"{name}.conv3"] = (f"{name}.bn3", (outputs, width, 1, 1))
            if number == 0:
                downsample = f"{name}.downsample"
                found[f"{downsample}.0"] = (f"{downsample}.1", (outputs, inputs, 1, 1))
            inputs = outputs
    return found


def resnet50_shapes(dimension: int) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the weights as torchvision stores them, without ``backbone.``.

    They are convolutions, the five arrays of each batch normalisation (``num_batches_tracked``
    included, a scalar), and the last layer ``fc`` with `dimension` outputs.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for convolution, (normalisation, shape) in _convolutions().items():
        shapes[f"{convolution}.weight"] = shape
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{normalisation}.{part}"] = shape[:1]
        shapes[f"{normalisation}.num_batches_tracked"] = ()
    shapes["fc.weight"] = (dimension, 512 * _EXPANSION)
    shapes["fc.bias"] = (dimension,)
    return shapes


def fold_resnet50(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Fold each batch normalisation into the convolution before it.

    With fixed statistics it is an affine map of each channel, so the network computes the same
    with fewer steps: a third less memory read and written.

    Takes weights named as by :func:`resnet50_shapes`; gives ``.weight`` and ``.bias`` for each
    convolution and for ``fc``, float32.
    """
    folded: dict[str, torch.Tensor] = {}
    for convolution, (normalisation, _) in _convolutions().items():
        scale, shift, mean, variance = (
            weights[f"{normalisation}.{part}"].double()
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = scale / (variance + _EPSILON).sqrt()
        kernel = weights[f"{convolution}.weight"].double() * gain[:, None, None, None]
        folded[f"{convolution}.weight"] = kernel.float()
        folded[f"{convolution}.bias"] = (shift - mean * gain).float()
    for part in ("weight", "bias"):
        folded[f"fc.{part}"] = weights[f"fc.{part}"].float()
    return folded


def _bottleneck(
    weights: Mapping[str, torch.Tensor], name: str, inputs: torch.Tensor, stride: int
) -> torch.Tensor:
    def convolve(part: str, maps: torch.Tensor, stride: int = 1, padding: int = 0) -> torch.Tensor:
        weight, bias = weights[f"{name}.{part}.weight"], weights[f"{name}.{part}.bias"]
        return F.conv2d(maps, weight, bias, stride, padding)

    maps = F.relu(convolve("conv1", inputs))
    maps = F.relu(convolve("conv2", maps, stride, 1))
    maps = convolve("conv3", maps)
    shortcut = inputs
    if f"{name}.downsample.0.weight" in weights:
        shortcut = convolve("downsample.0", inputs, stride)
    return F.relu(maps + shortcut)


def resnet50(
    weights: Mapping[str, torch.Tensor], inputs: torch.Tensor, power: float = 3.0
) -> torch.Tensor:
    """Compute the features (B, D) of inputs (B, 3, S, S) by the input rule.

    Trunk, generalised-mean pooling of that power and last layer; the caller normalises the result.
    The weights come from :func:`fold_resnet50`, all of the inputs' dtype and device.
    """
    maps = F.relu(F.conv2d(inputs, weights["conv1.weight"], weights["conv1.bias"], 2, 3))
    maps = F.max_pool2d(maps, 3, 2, 1)
    for layer, count, _, stride in _LAYERS:
        for number in range(count):
            maps = _bottleneck(weights, f"{layer}.{number}", maps, stride if number == 0 else 1)
    pooled = generalised_mean(maps, power)
    return F.linear(pooled, weights["fc.weight"], weights["fc.bias"])
