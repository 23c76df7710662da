"""ResNet-50, against an independent forward pass of SSCD's layout."""

import pytest
import torch

from homing.descriptors import load_descriptor
from homing.descriptors.networks import ARCHITECTURES


@pytest.fixture(scope="module")
def sscd(published_file):
    return load_descriptor("sscd_disc_mixup", weights=published_file)


def test_keys_and_shapes_are_the_published_ones(published):
    expected = {name: tuple(weight.shape) for name, weight in published.state_dict().items()}
    assert "backbone.layer3.5.bn3.num_batches_tracked" in expected
    assert expected["backbone.fc.weight"] == (512, 2048)
    assert ARCHITECTURES["resnet50"].shapes(512) == expected


def test_agrees_with_an_independent_forward_pass(sscd, published):
    batch = torch.rand(2, 3, 288, 288, generator=torch.Generator().manual_seed(1))
    batch[1] = torch.linspace(0, 1, 288).view(1, 1, -1)
    with torch.no_grad():
        expected = published(batch)
    described = sscd.forward(batch)
    assert described.shape == (2, 512)
    # Folded normalisation and another order of sums: single precision, fifty layers deep.
    torch.testing.assert_close(described, expected, atol=2e-5, rtol=0)
    assert (described[0] - described[1]).norm() > 0.05


def test_gradient_agrees_with_the_independent_one(sscd, published):
    gradients = []
    for function in (sscd.forward, published):
        batch = torch.rand(1, 3, 288, 288, generator=torch.Generator().manual_seed(2))
        batch.requires_grad_()
        function(batch)[0, :5].sum().backward()
        gradients.append(batch.grad)
    assert (gradients[0] - gradients[1]).norm() < 1e-3 * gradients[1].norm()


def test_in_double_precision(sscd):
    batch = torch.rand(1, 3, 288, 288, generator=torch.Generator().manual_seed(3))
    double = sscd.double().forward(batch)
    assert double.dtype == torch.float64
    torch.testing.assert_close(sscd.forward(batch).double(), double, atol=1e-5, rtol=0)


def test_a_published_file_is_known_by_its_name(sscd, published_file):
    by_path = load_descriptor(published_file)
    assert (by_path.name, by_path.fingerprint) == ("sscd_disc_mixup", sscd.fingerprint)
    assert (by_path.dimension, by_path.input_size) == (512, 288)
