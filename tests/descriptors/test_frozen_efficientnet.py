"""The network of fixed weights against the one that can be trained, of the same weights."""

import pytest
import torch

from homing.descriptors.efficientnet import efficientnet_lite0, efficientnet_lite0_shapes
from homing.descriptors.frozen_efficientnet import freeze_lite0, frozen_lite0
from homing.descriptors.networks import ARCHITECTURES, weighted_network

DIMENSION = 7


@pytest.fixture(scope="module")
def network():
    generator = torch.Generator().manual_seed(3)
    shapes = efficientnet_lite0_shapes(DIMENSION)
    stored = {
        name: torch.randn(shape, generator=generator) / max(1, shape[1:].numel()) ** 0.5
        for name, shape in ((name, torch.Size(shape)) for name, shape in shapes.items())
    }
    architecture = ARCHITECTURES["efficientnet-lite0"]
    made = weighted_network(architecture, stored, DIMENSION, source="drawn")
    return made.to(torch.device("cpu"), torch.float64)


def drawn(count, side):
    generator = torch.Generator().manual_seed(side)
    pixels = torch.randn(count, 3, side, side, generator=generator, dtype=torch.float64)
    return pixels.contiguous(memory_format=torch.channels_last).requires_grad_()


def features_and_gradient(apply, weights, inputs):
    features = apply(weights, inputs)
    wanted = torch.linspace(-1, 2, features.numel(), dtype=features.dtype).view_as(features)
    (gradient,) = torch.autograd.grad(features, inputs, wanted)
    return features.detach(), gradient


@pytest.mark.parametrize("side", [160, 90, 75, 33, 8])  # sides even and odd at every stride
@pytest.mark.parametrize("count", [1, 3])
def test_features_and_gradients_are_those_of_the_plain_network(network, count, side):
    inputs = drawn(count, side)
    plain = features_and_gradient(efficientnet_lite0, network.weights, inputs)
    frozen = features_and_gradient(frozen_lite0, network.weights, inputs)
    for found, expected in zip(frozen, plain, strict=True):
        assert expected.abs().max() > 0
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("count", [4, 8, 16])
def test_a_picture_is_computed_alike_to_the_last_bit_in_every_place(homing_s, count):
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(count, 3, 160, 160, generator=generator)
    found = []
    for batch in (pixels, pixels.roll(1, 0)):
        inputs = batch.contiguous(memory_format=torch.channels_last).requires_grad_()
        features = frozen_lite0(homing_s.network.weights, inputs)
        (gradient,) = torch.autograd.grad(features.sum(), inputs)
        found.append((features.detach(), gradient))
    for here, there in zip(*found, strict=True):
        assert torch.equal(here.roll(1, 0), there)


def test_a_gradient_is_taken_again_and_leaves_the_callers_as_it_is(network):
    inputs = drawn(2, 33)
    features = frozen_lite0(network.weights, inputs)
    wanted = torch.ones_like(features)
    first, second = (
        torch.autograd.grad(features, inputs, wanted, retain_graph=True)[0] for _ in range(2)
    )
    assert torch.equal(first, second)
    assert torch.equal(wanted, torch.ones_like(features))


def test_a_second_derivative_is_refused(network):
    inputs = drawn(1, 33)
    (gradient,) = torch.autograd.grad(
        frozen_lite0(network.weights, inputs).sum(), inputs, create_graph=True
    )
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_the_stored_weights_stay_among_those_of_the_fixed_network():
    stored = {
        name: torch.full(shape, 0.5, dtype=torch.float16)
        for name, shape in efficientnet_lite0_shapes(DIMENSION).items()
    }
    frozen = freeze_lite0(stored)
    assert stored.keys() < frozen.keys()
    assert all(torch.equal(frozen[name], weight.float()) for name, weight in stored.items())
