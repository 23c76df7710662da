"""Whitening maps, the last layer of a descriptor, on vectors of known scatter."""

import pytest
import torch
from recipe.whitening import balanced_order, discriminant, principal, scatter


def _views(pictures: int, views: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw vectors with the true scatter within pictures and between them."""
    generator = torch.Generator().manual_seed(seed)
    size = 6
    a, b = (torch.randn(size, size, generator=generator, dtype=torch.float64) for _ in range(2))
    means = torch.randn(pictures, size, generator=generator, dtype=torch.float64) @ a.T
    apart = torch.randn(pictures, views, size, generator=generator, dtype=torch.float64) @ b.T
    return means[:, None] + apart + 3.0, b @ b.T, a @ a.T


def test_scatter_estimates_the_true_one() -> None:
    vectors, within, between = _views(40_000, 3, seed=1)
    found_within, found_between = scatter(vectors, part=777)
    assert float((found_within - within).norm() / within.norm()) < 0.03
    assert float((found_between - between).norm() / between.norm()) < 0.03


def test_discriminant_evens_out_edits_and_orders_axes() -> None:
    _, within, between = _views(2, 2, seed=2)
    whole = discriminant(within, between, 6, shrinkage=0.0)
    after = whole @ within @ whole.T
    pictures = whole @ between @ whole.T
    weights = torch.diagonal(after)  # b / (1 + b): the squares of the axes' scales
    assert torch.allclose(after, torch.diag(weights), atol=1e-9)
    assert torch.allclose(pictures, torch.diag(torch.diagonal(pictures)), atol=1e-9)
    variances = torch.diagonal(pictures) / weights
    assert torch.allclose(weights, variances / (1 + variances), atol=1e-9)
    assert bool((variances.diff() <= 0).all())
    assert torch.allclose(discriminant(within, between, 2, shrinkage=0.0), whole[:2], atol=1e-9)


def test_shrinkage_bounds_what_one_direction_may_count() -> None:
    within = torch.diag(torch.tensor([1e-6, 1.0, 1.0, 1.0], dtype=torch.float64))
    between = torch.eye(4, dtype=torch.float64)

    def loudest(shrinkage: float) -> float:
        lengths = discriminant(within, between, 4, shrinkage=shrinkage).norm(dim=0)
        return float(lengths[0] / lengths[1])

    assert loudest(0.0) > 500
    assert loudest(1.0) < 2


def test_discriminant_finds_copies_where_edits_hide_them() -> None:
    # One direction that every edit disturbs, and five that distinguish pictures.
    generator = torch.Generator().manual_seed(3)
    spread = torch.tensor([30.0, 1, 1, 1, 1, 1])
    pictures = torch.randn(600, 6, generator=generator)
    made = pictures[:, None] + 0.2 * spread * torch.randn(600, 3, 6, generator=generator)
    weight = discriminant(*scatter(made[:300]), 6, shrinkage=0.1).float()

    def found(vectors: torch.Tensor) -> float:
        unit = torch.nn.functional.normalize(vectors, dim=-1)
        nearest = (unit[300:, 1] @ unit[300:, 0].T).argmax(dim=1)
        return float((nearest == torch.arange(300)).float().mean())

    assert found(made) < 0.3
    assert found(made @ weight.T) > 0.5


def test_principal_whitens() -> None:
    vectors, _, _ = _views(500, 1, seed=4)
    weight, bias = principal(vectors[:, 0].float(), 4)
    assert weight.shape == (4, 6)
    made = vectors[:, 0] @ weight.double().T + bias.double()
    assert torch.allclose(torch.cov(made.T, correction=0), torch.eye(4).double(), atol=1e-3)
    assert made.mean(dim=0).abs().max() == pytest.approx(0, abs=1e-3)


def test_balanced_order_shares_out_what_axes_carry() -> None:
    variances = torch.logspace(0, -4, 64, dtype=torch.float64)
    order = balanced_order(variances, 8)
    assert sorted(order.tolist()) == list(range(64))
    products = variances[order].log().reshape(8, 8).sum(dim=1)
    as_it_was = variances.log().reshape(8, 8).sum(dim=1)
    assert float(products.max() - products.min()) < 0.05 * float(as_it_was.max() - as_it_was.min())
