"""The optimisation loop: gradients, a slow version of it, and its budget."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.activation import LoopSettings
from homing.activation.loop import (
    Batch,
    LuminanceReduction,
    budget_shares,
    gain_of,
    optimise,
    render,
)
from homing.activation.objectives.objective import reconstruction_objective
from homing.activation.simulated_edits.edits import EditPlan, apply_edits, draw_edits, stack_edits
from homing.descriptors import Descriptor

PUBLISHED = LoopSettings()
COUNT = 3


def make_batch(
    size: int, *, largest: float, count: int = COUNT, dtype: torch.dtype = torch.float64
) -> Batch:
    """Pictures without pixels at the ends, where clamping has no derivative; the second is grey."""
    generator = torch.Generator().manual_seed(size)

    def uniform(low: float, high: float) -> torch.Tensor:
        shape = (count, 3, size, size)
        drawn = torch.rand(shape, generator=generator, dtype=torch.float64)
        return (low + (high - low) * drawn).to(dtype)

    pictures, allowed = uniform(0.35, 0.65), uniform(0.005, 0.03)
    grey = torch.arange(count) == 1
    pictures[grey] = pictures[grey].mean(1, keepdim=True)
    allowed[grey] = allowed[grey].mean(1, keepdim=True)
    return Batch(
        pictures=pictures,
        allowed=allowed,
        grey=grey,
        max_rms=torch.full((count,), largest, dtype=dtype),
        offsets=uniform(-1e-6, 1e-6),
    )


def muted(batch: Batch) -> Batch:
    """Return the batch with luminance muted: by half, all in a corner, none of the grey one."""
    some = batch.allowed[:, :1]
    taken = torch.full_like(some, 0.5)
    taken[:, :, :2, :2] = 1
    taken[batch.grey] = 0
    weights = torch.tensor([1.2, 0.8, 1.6], dtype=some.dtype).repeat(len(some), 1)
    weights[batch.grey] = 1
    return replace(
        batch,
        allowed=some * weights[:, :, None, None],
        luminance=LuminanceReduction(weights[:, :, None, None], taken),
    )


def make_targets(count: int = COUNT, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 16, generator=generator, dtype=torch.float64).to(dtype)


def losses_of(batch: Batch, descriptor: Descriptor, offsets: torch.Tensor) -> torch.Tensor:
    objective = reconstruction_objective(make_targets(len(offsets)), distortion_weight=0.5)
    rendered = render(batch, offsets, 3.0)
    return objective(descriptor.forward(rendered), rendered - batch.pictures)


@pytest.mark.parametrize("mute", [False, True], ids=["whole", "muted"])
@pytest.mark.parametrize("largest", [1.0, 0.004], ids=["strength binds", "budget binds"])
def test_gradient_is_that_of_finite_differences_in_every_direction(
    minute: Descriptor, largest: float, mute: bool
) -> None:
    descriptor = minute.double()
    batch = make_batch(8, largest=largest, count=2)
    batch = muted(batch) if mute else batch
    generator = torch.Generator().manual_seed(3)
    offsets = torch.randn(batch.offsets.shape, generator=generator, dtype=torch.float64)
    offsets.requires_grad_()
    function = lambda o: losses_of(batch, descriptor, o)  # noqa: E731
    assert torch.autograd.gradcheck(function, offsets, eps=1e-6, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("largest", [1.0, 0.004], ids=["strength binds", "budget binds"])
def test_gradient_by_hand_in_random_directions(tiny: Descriptor, largest: float) -> None:
    descriptor = tiny.double()
    batch = make_batch(16, largest=largest)
    generator = torch.Generator().manual_seed(0)
    for spread in (1e-6, 0.3, 2.0):
        drawn = torch.randn(batch.offsets.shape, generator=generator, dtype=torch.float64)
        offsets = (drawn * spread).requires_grad_()
        (gradient,) = torch.autograd.grad(losses_of(batch, descriptor, offsets).sum(), offsets)
        direction = torch.randn(offsets.shape, generator=generator, dtype=torch.float64)
        step = 1e-4 * spread
        with torch.no_grad():
            ahead = losses_of(batch, descriptor, offsets + step * direction).sum()
            behind = losses_of(batch, descriptor, offsets - step * direction).sum()
        expected = (ahead - behind) / (2 * step)
        torch.testing.assert_close((gradient * direction).sum(), expected, rtol=1e-4, atol=1e-8)


def test_gradient_through_homing_s(homing_s: Descriptor) -> None:
    descriptor = homing_s.double()
    batch = make_batch(160, largest=0.008, count=2)
    objective = reconstruction_objective(
        torch.randn(2, 256, generator=torch.Generator().manual_seed(0)).double(),
        distortion_weight=0.01,
    )

    def loss(offsets: torch.Tensor) -> torch.Tensor:
        rendered = render(batch, offsets, 3.0)
        return objective(descriptor.forward(rendered), rendered - batch.pictures).sum()

    generator = torch.Generator().manual_seed(4)
    offsets = torch.randn(batch.offsets.shape, generator=generator, dtype=torch.float64)
    offsets.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(offsets), offsets)
    # Along the gradient, where the slope is steep enough to be measured through the network's
    # kinks (ReLU6).
    direction = gradient / gradient.norm()
    step = 1e-3
    with torch.no_grad():
        slope = (loss(offsets + step * direction) - loss(offsets - step * direction)) / (2 * step)
    torch.testing.assert_close(slope, gradient.norm(), rtol=1e-3, atol=0)


def test_no_change_yet_has_a_gradient(tiny: Descriptor) -> None:
    for dtype in (torch.float32, torch.float64):
        batch = make_batch(16, largest=0.004, dtype=dtype)
        offsets = torch.zeros_like(batch.offsets).requires_grad_()
        losses = losses_of(batch, tiny.to(dtype=dtype), offsets)
        (gradient,) = torch.autograd.grad(losses.sum(), offsets)
        assert torch.isfinite(gradient).all()
        assert (gradient != 0).flatten(1).any(1).all()


def test_a_picture_that_may_not_change_stays(tiny: Descriptor) -> None:
    batch = make_batch(16, largest=0.004, dtype=torch.float32)
    batch.allowed[0] = 0
    objective = reconstruction_objective(make_targets().float(), distortion_weight=0.01)
    shares = optimise(batch, tiny.forward, objective, PUBLISHED)
    assert torch.isfinite(shares).all()
    changes = (batch.allowed * shares).flatten(1).norm(dim=1)
    assert changes[0] == 0
    assert (changes[1:] > 0).all()
    torch.testing.assert_close(
        render(batch, batch.offsets, 3.0)[0], batch.pictures[0], rtol=0, atol=0
    )


def published(
    batch: Batch, place: int, descriptor: Descriptor, target: torch.Tensor, steps: int = 10
) -> np.ndarray:
    """Run the paper's algorithm on one picture, in numpy and float64, with Adam written out.

    With homing's two additions: equal channels of a grey picture, and the budget.
    """
    picture, allowed = batch.pictures[place].double(), batch.allowed[place].double()
    largest = float(batch.max_rms[place])
    delta = batch.offsets[place].double().numpy().copy()
    first, second = np.zeros_like(delta), np.zeros_like(delta)

    def share(values: torch.Tensor) -> torch.Tensor:
        bounded = torch.tanh(values)
        if batch.grey[place]:
            bounded = torch.stack([bounded.sum(0) / 3] * 3)
        at_full = (3.0 * allowed * bounded).pow(2).mean().sqrt()
        return 3.0 * bounded * (largest / at_full if at_full > largest else 1.0)

    for step in range(1, steps + 1):
        values = torch.tensor(delta, requires_grad=True)
        changed = torch.clamp(picture + allowed * share(values), 0, 1)
        feature = descriptor.forward(changed[None])[0]
        cosine = feature @ target / (feature.norm() * target.norm())
        loss = -cosine + 0.01 * ((changed - picture) ** 2).mean()
        loss.backward()
        gradient = values.grad.numpy()
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = first / (1 - 0.9**step), second / (1 - 0.999**step)
        delta -= 1.0 * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
    return share(torch.tensor(delta)).numpy()


@pytest.mark.parametrize("largest", [1.0, 0.01], ids=["strength binds", "budget binds"])
def test_the_loop_is_the_published_one(tiny: Descriptor, largest: float) -> None:
    exact = tiny.double()
    batch = make_batch(16, largest=largest)
    batch.pictures[2] = (batch.pictures[2] - 0.35) / 0.3  # this one reaches black and white
    targets = make_targets()
    expected = np.stack([published(batch, i, exact, targets[i]) for i in range(COUNT)])

    objective = reconstruction_objective(targets, distortion_weight=PUBLISHED.distortion_weight)
    double = optimise(batch, exact.forward, objective, PUBLISHED).numpy()
    np.testing.assert_allclose(double, expected, atol=1e-6)

    single = Batch(
        pictures=batch.pictures.float(),
        allowed=batch.allowed.float(),
        grey=batch.grey,
        max_rms=batch.max_rms.float(),
        offsets=batch.offsets.float(),
    )
    objective = reconstruction_objective(targets.float(), distortion_weight=0.01)
    found = optimise(single, tiny.forward, objective, PUBLISHED).numpy()
    # Adam's first steps have one size whatever the gradient's: where that is next to nothing its
    # sign, and with it the offset, is a matter of rounding.
    off = np.abs(found - expected) > 1e-3 * max(1.0, np.abs(expected).max())
    assert off.mean() < 0.01
    for shares in (found, expected):
        assert np.abs(shares).max() <= 3 + 1e-6
    with torch.no_grad():
        nearness = [
            torch.nn.functional.cosine_similarity(
                exact.forward(
                    (batch.pictures + batch.allowed * torch.from_numpy(shares).double()).clamp(0, 1)
                ),
                targets,
            )
            for shares in (found, expected)
        ]
        before = torch.nn.functional.cosine_similarity(exact.forward(batch.pictures), targets)
    torch.testing.assert_close(nearness[0], nearness[1], atol=1e-4, rtol=0)
    assert (nearness[1] > before + 0.01).all()


def test_steps_with_momentum_by_hand(tiny: Descriptor) -> None:
    """Steps along the unit gradient at a falling rate; edited copies have equal weight."""
    exact = tiny.double()
    batch = make_batch(16, largest=0.01)
    plan = EditPlan(toned=2, shaped=3)
    own = LoopSettings(steps=4, rate=0.3, final_rate=0.4, momentum=0.6, edits=plan)
    drawn = [
        draw_edits(plan, 4, aspect=1.2, size=16, generator=np.random.default_rng(n))
        for n in range(COUNT)
    ]
    batch = replace(batch, edits=stack_edits(drawn))
    targets = make_targets()

    def objective(features: torch.Tensor, _change: torch.Tensor) -> torch.Tensor:
        seen = features.unflatten(0, (-1, COUNT))
        return -torch.nn.functional.cosine_similarity(seen, targets, dim=2).mean(dim=0)

    offsets, velocity = batch.offsets.clone(), torch.zeros_like(batch.offsets)
    for step, rate in enumerate((0.3, 0.24, 0.18, 0.12)):
        values = offsets.clone().requires_grad_()
        seen = torch.cat(list(apply_edits(render(batch, values, 3.0), batch.edits, step)))
        (gradient,) = torch.autograd.grad(objective(exact.forward(seen), seen).sum(), values)
        unit = gradient / gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        velocity = 0.6 * velocity + unit
        offsets = offsets - rate * velocity
    found = optimise(batch, exact.forward, objective, own)
    torch.testing.assert_close(found, gain_of(batch, offsets, 3.0), atol=1e-6, rtol=1e-6)


def test_momentum_of_a_picture_that_may_not_change(tiny: Descriptor) -> None:
    batch = make_batch(16, largest=0.01, dtype=torch.float32)
    batch.allowed[0] = 0
    objective = reconstruction_objective(make_targets().float(), distortion_weight=0.01)
    own = LoopSettings(momentum=0.7)
    assert torch.isfinite(optimise(batch, tiny.forward, objective, own)).all()


class AllSafeButOne:
    """An objective whose pictures are all safe from the start, but for one."""

    def __init__(self, unsafe: int) -> None:
        self.mask = torch.arange(COUNT) != unsafe
        self.inner = reconstruction_objective(make_targets().float(), distortion_weight=0.0)

    def __call__(self, features: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        return self.inner(features, change)

    def safe(self, features: torch.Tensor) -> torch.Tensor:
        assert features.shape == (COUNT, 16)
        assert not features.requires_grad
        return self.mask


def test_the_change_to_what_is_safe_is_eased(tiny: Descriptor) -> None:
    batch = make_batch(16, largest=0.004, dtype=torch.float32)
    own = LoopSettings(steps=4, momentum=0.7, shrink=0.8)
    shares = optimise(batch, tiny.forward, AllSafeButOne(unsafe=1), own)
    levels = budget_shares(batch, shares)
    torch.testing.assert_close(levels, torch.tensor([0.8**4, 1.0, 0.8**4]))
    never = optimise(batch, tiny.forward, AllSafeButOne(unsafe=1), replace(own, shrink=1.0))
    torch.testing.assert_close(budget_shares(batch, never), torch.ones(COUNT))


def test_what_is_no_longer_safe_gets_its_change_back(tiny: Descriptor) -> None:
    batch = make_batch(16, largest=0.004, dtype=torch.float32)
    judge = AllSafeButOne(unsafe=1)
    steps = []

    def describe(rendered: torch.Tensor) -> torch.Tensor:
        steps.append(1)
        if len(steps) > 3:
            judge.mask = torch.zeros(COUNT, dtype=torch.bool)
        return tiny.forward(rendered)

    own = LoopSettings(steps=5, momentum=0.7, shrink=0.8)
    levels = budget_shares(batch, optimise(batch, describe, judge, own))
    torch.testing.assert_close(levels, torch.tensor([0.8, 1.0, 0.8]))


@settings(max_examples=60, deadline=None)
@given(
    spread=st.floats(1e-8, 1e3),
    largest=st.floats(1e-4, 1.0),
    strength=st.floats(0.1, 10),
    seed=st.integers(0, 2**16),
)
def test_strength_is_never_above_the_budget(
    spread: float, largest: float, strength: float, seed: int
) -> None:
    batch = make_batch(8, largest=largest, dtype=torch.float32)
    drawn = torch.randn(batch.offsets.shape, generator=torch.Generator().manual_seed(seed))
    shares = gain_of(batch, drawn * spread, strength)
    reached = (batch.allowed * shares).square().mean(dim=(1, 2, 3)).sqrt()
    assert (reached <= largest * (1 + 1e-5)).all()
    assert shares.abs().max() <= strength * (1 + 1e-6)
    uncapped = strength * torch.tanh(drawn * spread)
    uncapped[1] = uncapped[1].mean(0)  # the grey one
    wanted = (batch.allowed * uncapped).square().mean(dim=(1, 2, 3)).sqrt()
    torch.testing.assert_close(reached, torch.minimum(wanted, batch.max_rms), rtol=1e-4, atol=1e-12)
    assert (shares[1] == shares[1, :1]).all()


def test_muting_takes_luminance_and_leaves_colour() -> None:
    batch = muted(make_batch(8, largest=1.0))
    drawn = torch.randn(batch.offsets.shape, generator=torch.Generator().manual_seed(5)).double()
    changes = [
        batch.allowed * gain_of(each, drawn, 1.0)
        for each in (replace(batch, luminance=None), batch)
    ]
    of_luminance = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)[:, None, None]
    whole, left = ((change * of_luminance).sum(1) for change in changes)
    taken = batch.luminance.removed[:, 0]
    torch.testing.assert_close(left, (1 - taken) * whole, rtol=1e-6, atol=1e-9)
    whole, left = (change - change.roll(1, 1) for change in changes)  # between channels
    torch.testing.assert_close(left, whole, rtol=1e-6, atol=1e-9)
    assert (changes[0][1] == changes[1][1]).all()  # the grey one


@pytest.mark.parametrize("largest", [1.0, 0.004], ids=["strength binds", "budget binds"])
def test_a_muted_change_keeps_the_budget(largest: float) -> None:
    batch = muted(make_batch(8, largest=largest))
    drawn = torch.randn(batch.offsets.shape, generator=torch.Generator().manual_seed(6)).double()
    reached = (batch.allowed * gain_of(batch, drawn, 3.0)).square().mean(dim=(1, 2, 3)).sqrt()
    assert (reached <= largest * (1 + 1e-9)).all()
    if largest < 0.01:
        assert (reached >= largest * (1 - 1e-9)).all()


def test_every_step_keeps_the_budget(tiny: Descriptor) -> None:
    batch = make_batch(16, largest=0.004, dtype=torch.float32)
    seen = []

    def describe(rendered: torch.Tensor) -> torch.Tensor:
        seen.append((rendered - batch.pictures).detach().square().mean(dim=(1, 2, 3)).sqrt())
        return tiny.forward(rendered)

    objective = reconstruction_objective(make_targets().float(), distortion_weight=0.01)
    shares = optimise(batch, describe, objective, PUBLISHED)
    assert len(seen) == PUBLISHED.steps
    assert torch.stack(seen).max() <= 0.004 * (1 + 1e-4)
    last = (batch.allowed * shares).square().mean(dim=(1, 2, 3)).sqrt()
    assert last.max() <= 0.004 * (1 + 1e-5)
    assert last.min() > 0.0039  # and the budget is used


def test_settings_reach_the_loop(tiny: Descriptor) -> None:
    batch = make_batch(16, largest=1.0, dtype=torch.float32)
    steps = []

    def describe(rendered: torch.Tensor) -> torch.Tensor:
        steps.append(1)
        return tiny.forward(rendered)

    objective = reconstruction_objective(make_targets().float(), distortion_weight=0.01)
    changed = replace(PUBLISHED, steps=3, strength=1.5)
    shares = optimise(batch, describe, objective, changed)
    assert len(steps) == 3
    assert 1.2 < shares.abs().max() <= 1.5


def test_pictures_of_a_batch_do_not_meet(tiny: Descriptor) -> None:
    batch = make_batch(16, largest=0.01, dtype=torch.float32)
    targets = make_targets().float()
    run = lambda b: optimise(  # noqa: E731
        b, tiny.forward, reconstruction_objective(targets, distortion_weight=0.01), PUBLISHED
    )
    whole = run(batch)
    others = batch.pictures.clone()
    others[1:] = 1 - others[1:]
    torch.testing.assert_close(run(replace(batch, pictures=others))[0], whole[0], rtol=0, atol=0)


def test_objective_by_hand() -> None:
    objective = reconstruction_objective(
        torch.tensor([[3.0, 0.0], [0.0, 2.0]]), distortion_weight=0.5
    )
    change = torch.zeros(2, 3, 4, 4)
    change[1] = 0.2
    losses = objective(torch.tensor([[0.6, 0.8], [0.6, 0.8]]), change)
    torch.testing.assert_close(losses, torch.tensor([-0.6, -0.8 + 0.5 * 0.04]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"rate": 0.0},
        {"rate": -1.0},
        {"strength": 0.0},
        {"initial_noise": 0.0},
        {"rate": math.nan},
        {"strength": math.inf},
        {"distortion_weight": -0.1},
        {"distortion_weight": math.nan},
        {"shrink": 0.0},
        {"shrink": 1.1},
        {"final_rate": 0.0},
        {"final_rate": 1.1},
        {"momentum": 1.0},
        {"momentum": -0.1},
    ],
)
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoopSettings(**wrong)


def test_the_defaults_are_the_papers() -> None:
    assert (PUBLISHED.steps, PUBLISHED.rate, PUBLISHED.strength) == (10, 1.0, 3.0)
    assert (PUBLISHED.distortion_weight, PUBLISHED.initial_noise) == (0.01, 1e-6)
    assert (PUBLISHED.final_rate, PUBLISHED.momentum, PUBLISHED.edits.passes) == (1.0, None, 1)
