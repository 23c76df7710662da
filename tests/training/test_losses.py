"""The terms of the loss, against slow and direct versions of them."""

import math

import pytest
import torch
from recipe.batches import Batch
from recipe.losses import Bank, contrast_with_bank, contrast_within, spread
from torch.nn import functional as F

_TEMPERATURE = 0.1


@pytest.fixture
def bank() -> Bank:
    generator = torch.Generator().manual_seed(1)
    vectors = F.normalize(torch.randn(7, 5, generator=generator, dtype=torch.float64))
    return Bank(vectors, torch.tensor([[2, 6], [6, 2]]))


@pytest.fixture
def vectors() -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return F.normalize(torch.randn(6, 5, generator=generator, dtype=torch.float64))


@pytest.fixture
def batch() -> Batch:
    owner = torch.tensor([0, 0, 2, 2, 5, 5])
    guest = torch.tensor([0, 3, 2, 2, 5, 5])
    share = torch.tensor([1.0, 0.6, 1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    return Batch(torch.empty(6, 0), owner, guest, share)


def test_contrast_with_bank(vectors: torch.Tensor, batch: Batch, bank: Bank) -> None:
    total = 0.0
    for view in range(6):
        owner, guest = int(batch.owner[view]), int(batch.guest[view])
        duplicates = {int(b) for a, b in bank.near_duplicates if int(a) in {owner, guest}}
        scores = {
            n: float(vectors[view] @ bank.vectors[n]) / _TEMPERATURE
            for n in range(7)
            if n not in duplicates
        }
        everything = math.log(sum(math.exp(score) for score in scores.values()))
        share = float(batch.share[view])
        total += share * (everything - scores[owner]) + (1 - share) * (everything - scores[guest])
    got = contrast_with_bank(vectors, batch, bank, temperature=_TEMPERATURE)
    assert float(got) == pytest.approx(total / 6, rel=1e-9)


@pytest.mark.parametrize("duplicates", [[], [(2, 5), (5, 2)]])
def test_contrast_within(
    vectors: torch.Tensor, batch: Batch, bank: Bank, duplicates: list[tuple[int, int]]
) -> None:
    bank.near_duplicates = torch.tensor(duplicates).reshape(-1, 2)
    total = weights = 0.0
    for a in range(6):
        shown = {int(batch.owner[a]), int(batch.guest[a])}
        wrong = [
            b
            for b in range(6)
            if not shown & {int(batch.owner[b]), int(batch.guest[b])}
            and (int(batch.owner[a]), int(batch.owner[b])) not in duplicates
        ]
        against = sum(math.exp(float(vectors[a] @ vectors[b]) / _TEMPERATURE) for b in wrong)
        for b in range(6):
            if b != a and batch.owner[a] == batch.owner[b]:
                right = math.exp(float(vectors[a] @ vectors[b]) / _TEMPERATURE)
                weight = float(batch.share[a] * batch.share[b])
                total += weight * -math.log(right / (right + against))
                weights += weight
    got = contrast_within(vectors, batch, bank, temperature=_TEMPERATURE)
    assert float(got) == pytest.approx(total / weights, rel=1e-9)


def test_spread(vectors: torch.Tensor, batch: Batch, bank: Bank) -> None:
    total = 0.0
    for view in (0, 2, 4):
        owner = int(batch.owner[view])
        duplicates = {int(b) for a, b in bank.near_duplicates if int(a) == owner}
        others = [n for n in range(7) if n != owner and n not in duplicates]
        total -= math.log(min(float(torch.dist(vectors[view], bank.vectors[n])) for n in others))
    assert float(spread(vectors, batch, bank, views=2)) == pytest.approx(total / 3, rel=1e-6)


@pytest.mark.parametrize("term", ["bank", "within", "spread"])
def test_gradients(term: str, vectors: torch.Tensor, batch: Batch, bank: Bank) -> None:
    def value(free: torch.Tensor) -> torch.Tensor:
        unit = F.normalize(free)
        if term == "bank":
            return contrast_with_bank(unit, batch, bank, temperature=_TEMPERATURE)
        if term == "within":
            return contrast_within(unit, batch, bank, temperature=_TEMPERATURE)
        return spread(unit, batch, bank, views=2)

    assert torch.autograd.gradcheck(value, vectors.clone().requires_grad_())
