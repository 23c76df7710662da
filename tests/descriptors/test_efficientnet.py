"""EfficientNet-Lite0 against an independent forward pass, by homing-s."""

from importlib import resources

import numpy as np
import pytest
import safetensors.numpy
import torch

WEIGHTS = resources.files("homing.descriptors") / "weights" / "homing-s.safetensors"


def convolve(x, weight, bias, stride, *, depthwise):
    """Compute TensorFlow's "same" convolution of (C, h, w) in float64, by its definition."""
    kernel = weight.shape[-1]
    paddings = []
    for size in x.shape[1:]:
        outputs = -(-size // stride)
        total = max((outputs - 1) * stride + kernel - size, 0)
        paddings.append((total // 2, total - total // 2))
    x = np.pad(x, [(0, 0), *paddings])
    windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    if depthwise:
        y = np.einsum("chwij,cij->chw", windows, weight[:, 0])
    else:
        y = np.tensordot(weight, windows, axes=((1, 2, 3), (0, 3, 4)))
    return y + bias[:, None, None]


def slow_descriptor(pixels):
    """Compute homing-s of one picture (3, 160, 160) in [0, 1] from its table, by numpy alone."""
    weights = safetensors.numpy.load(WEIGHTS.read_bytes())
    weights = {name: weight.astype(np.float64) for name, weight in weights.items()}

    def layer(x, name, stride=1, *, depthwise=False, active=True):
        w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
        x = convolve(x, w, b, stride, depthwise=depthwise)
        return np.clip(x, 0, 6) if active else x

    x = layer(2 * pixels - 1, "trunk.stem", 2)
    # The first stride of each stage and its repeats, as published.
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    for number, stride in enumerate(strides):
        name, y = f"trunk.blocks.{number}", x
        if number > 0:
            y = layer(y, f"{name}.e")
        y = layer(y, f"{name}.d", stride, depthwise=True)
        y = layer(y, f"{name}.p", active=False)
        x = x + y if x.shape == y.shape else y
    x = layer(x, "trunk.head")
    pooled = np.mean(np.maximum(x, 1e-6) ** 3, axis=(1, 2)) ** (1 / 3)
    y = weights["projection.weight"] @ pooled + weights["projection.bias"]
    return y / np.linalg.norm(y)


@pytest.fixture(scope="module")
def pictures(squashed):
    return torch.from_numpy(squashed[:2].astype(np.float64) / 255).permute(0, 3, 1, 2)


def test_agrees_with_an_independent_forward_pass(homing_s, pictures):
    expected = np.stack([slow_descriptor(picture.numpy()) for picture in pictures])
    double = homing_s.double().forward(pictures).numpy()
    np.testing.assert_allclose(double, expected, atol=1e-12)
    single = homing_s.forward(pictures.float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single.numpy(), expected, atol=2e-6)


def test_gradient_agrees_with_finite_differences(homing_s, pictures):
    double = homing_s.double()
    generator = torch.Generator().manual_seed(5)
    target = torch.nn.functional.normalize(
        torch.randn(2, 256, dtype=torch.float64, generator=generator)
    )
    batch = pictures.clone().requires_grad_()
    (double.forward(batch) * target).sum().backward()
    for _ in range(3):
        direction = torch.randn(batch.shape, dtype=torch.float64, generator=generator)
        step = 1e-9  # the network is piecewise smooth: small enough to cross no kink
        with torch.no_grad():
            up = (double.forward(pictures + step * direction) * target).sum()
            down = (double.forward(pictures - step * direction) * target).sum()
        expected = (up - down) / (2 * step)
        torch.testing.assert_close((batch.grad * direction).sum(), expected, rtol=1e-5, atol=1e-6)


def test_gradient_in_single_precision_is_that_in_double(homing_s, pictures):
    gradients = []
    for descriptor, batch in ((homing_s, pictures.float()), (homing_s.double(), pictures)):
        leaf = batch.clone().requires_grad_()
        described = descriptor.forward(leaf)
        (described[:, :7].sum()).backward()
        gradients.append(leaf.grad.double())
    difference = (gradients[0] - gradients[1]).norm() / gradients[1].norm()
    assert difference < 5e-3  # a unit within rounding of ReLU6's kinks may take the other slope


def test_no_weight_requires_a_gradient(homing_s):
    assert not any(weight.requires_grad for weight in homing_s.network.weights.values())


def test_of_a_black_picture_the_gradient_is_finite(homing_s):
    batch = torch.zeros(1, 3, 160, 160, requires_grad=True)
    homing_s.forward(batch)[0, 0].backward()
    assert torch.isfinite(batch.grad).all()
    assert batch.grad.abs().max() > 0
