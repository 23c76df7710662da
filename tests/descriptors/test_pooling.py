"""Generalised-mean pooling against its formula and its limits."""

import pytest
import torch

from homing.descriptors.pooling import generalised_mean


def test_is_the_published_formula():
    maps = torch.rand(3, 5, 4, 6, dtype=torch.float64)
    expected = (maps.clamp(min=1e-6) ** 3).mean(dim=(2, 3)) ** (1 / 3)
    torch.testing.assert_close(generalised_mean(maps), expected)


def test_runs_from_mean_to_maximum():
    maps = torch.rand(2, 3, 5, 5, dtype=torch.float64) + 0.1
    torch.testing.assert_close(generalised_mean(maps, 1.0), maps.mean(dim=(2, 3)))
    torch.testing.assert_close(
        generalised_mean(maps, 5000.0), maps.amax(dim=(2, 3)), rtol=1e-3, atol=0
    )


@pytest.mark.parametrize("power", [1.0, 3.0, 4.5])
def test_gradient(power):
    # 1.0 stands twice: where the maximum is not unique the gradient still is.
    maps = torch.rand(2, 2, 3, 3, dtype=torch.float64) + 0.1
    maps[0, 0, 0, :2] = 1.5
    maps.requires_grad_()
    assert torch.autograd.gradcheck(lambda m: generalised_mean(m, power), maps)


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e-6, 1e30])
@pytest.mark.parametrize("power", [3.0, 8.0])
def test_gradient_is_finite_for_dark_and_bright_maps(value, power):
    maps = torch.full((1, 2, 4, 4), value).requires_grad_()
    pooled = generalised_mean(maps, power)
    (gradient,) = torch.autograd.grad(pooled.sum(), maps)
    assert torch.isfinite(pooled).all()
    assert torch.isfinite(gradient).all()
    torch.testing.assert_close(pooled, torch.full((1, 2), max(value, 1e-6)))
    if value > 1e-6:
        torch.testing.assert_close(gradient.sum(), torch.tensor(2.0))
