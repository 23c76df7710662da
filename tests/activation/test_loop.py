"""The optimisation loop: gradients, a slow version of it, and its budget."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from homing.activation import LoopSettings
from homing.activation.loop import Batch, budget_shares, gain_of, optimise, render
from homing.activation.objectives.objective import reconstruction_objective
from homing.activation.simulated_edits.edits import EditPlan, apply_edits, draw_edits, stack_edits
from homing.descriptors import Descriptor

PUBLISHED = LoopSettings()
PROPORTIONAL = LoopSettings(saturating=False, strength=0.6, momentum=0.7, rate=0.2)
COUNT = 3

#: Settings, largest change and largest gain. Offsets in proportion always grow to what binds first;
#: a third of them is clipped where the strength binds.
BOUNDS = {
    "saturating, strength binds": (PUBLISHED, 1.0, None),
    "saturating, budget binds": (PUBLISHED, 0.004, None),
    "saturating, gain binds": (PUBLISHED, 1.0, 0.17),
    "in proportion, strength binds": (PROPORTIONAL, 0.0108, None),
    "in proportion, budget binds": (PROPORTIONAL, 0.002, 1.0),
    "in proportion, gain binds": (PROPORTIONAL, 1.0, 0.17),
}
bounds = pytest.mark.parametrize(("own", "largest", "unseen"), BOUNDS.values(), ids=BOUNDS)


def make_batch(
    size: int,
    *,
    largest: float,
    unseen: float | None = None,
    count: int = COUNT,
    dtype: torch.dtype = torch.float64,
) -> Batch:
    """Pictures without pixels at the ends, where clamping has no derivative; the second is grey."""
    generator = torch.Generator().manual_seed(size)

    def uniform(low: float, high: float) -> torch.Tensor:
        shape = (count, 3, size, size)
        drawn = torch.rand(shape, generator=generator, dtype=torch.float64)
        return (low + (high - low) * drawn).to(dtype)

    pictures, allowed = uniform(0.35, 0.65), uniform(0.005, 0.03)
    alike = torch.arange(count) == 1
    pictures[alike] = pictures[alike].mean(1, keepdim=True)
    allowed[alike] = allowed[alike].mean(1, keepdim=True)
    return Batch(
        pictures=pictures,
        allowed=allowed,
        alike=alike,
        max_rms=torch.full((count,), largest, dtype=dtype),
        max_gain=None if unseen is None else torch.full((count,), unseen, dtype=dtype),
        offsets=uniform(-1e-6, 1e-6),
    )


def all_alike(batch: Batch) -> Batch:
    """Return the batch with pictures that change in luminance alone, and not at all in a corner."""
    allowed = batch.allowed[:, :1].expand_as(batch.allowed).clone()
    allowed[:, :, :3, :3] = 0
    return replace(batch, allowed=allowed, alike=torch.ones_like(batch.alike))


def rms(values: torch.Tensor) -> torch.Tensor:
    return values.square().mean(dim=(1, 2, 3)).sqrt()


def make_targets(count: int = COUNT, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 16, generator=generator, dtype=torch.float64).to(dtype)


def losses_of(
    batch: Batch, descriptor: Descriptor, offsets: torch.Tensor, own: LoopSettings = PUBLISHED
) -> torch.Tensor:
    objective = reconstruction_objective(make_targets(len(offsets)), distortion_weight=0.5)
    rendered = render(batch, offsets, own)
    return objective(descriptor.forward(rendered), rendered - batch.pictures)


@pytest.mark.parametrize("alike", [False, True], ids=["each", "alike"])
@bounds
def test_gradient_is_that_of_finite_differences_in_every_direction(
    minute: Descriptor, own: LoopSettings, largest: float, unseen: float | None, alike: bool
) -> None:
    descriptor = minute.double()
    batch = make_batch(8, largest=largest, unseen=unseen, count=2)
    batch = all_alike(batch) if alike else batch
    generator = torch.Generator().manual_seed(3)
    offsets = torch.randn(batch.offsets.shape, generator=generator, dtype=torch.float64)
    offsets.requires_grad_()
    function = lambda o: losses_of(batch, descriptor, o, own)  # noqa: E731
    assert torch.autograd.gradcheck(function, offsets, eps=1e-6, atol=1e-7, rtol=1e-4)


@bounds
def test_gradient_by_hand_in_random_directions(
    tiny: Descriptor, own: LoopSettings, largest: float, unseen: float | None
) -> None:
    descriptor = tiny.double()
    batch = make_batch(16, largest=largest, unseen=unseen)
    generator = torch.Generator().manual_seed(0)
    for spread in (1e-6, 0.3, 2.0):
        drawn = torch.randn(batch.offsets.shape, generator=generator, dtype=torch.float64)
        offsets = (drawn * spread).requires_grad_()
        (gradient,) = torch.autograd.grad(losses_of(batch, descriptor, offsets, own).sum(), offsets)
        direction = torch.randn(offsets.shape, generator=generator, dtype=torch.float64)
        step = 1e-4 * spread
        with torch.no_grad():
            ahead = losses_of(batch, descriptor, offsets + step * direction, own).sum()
            behind = losses_of(batch, descriptor, offsets - step * direction, own).sum()
        expected = (ahead - behind) / (2 * step)
        # A share of the places crosses the clipping at the strength within the step.
        kinks = 1e-3 if not own.saturating and unseen is None else 1e-4
        torch.testing.assert_close((gradient * direction).sum(), expected, rtol=kinks, atol=1e-8)


def test_gradient_through_homing_s(homing_s: Descriptor) -> None:
    descriptor = homing_s.double()
    batch = make_batch(160, largest=0.008, count=2)
    objective = reconstruction_objective(
        torch.randn(2, 256, generator=torch.Generator().manual_seed(0)).double(),
        distortion_weight=0.01,
    )

    def loss(offsets: torch.Tensor) -> torch.Tensor:
        rendered = render(batch, offsets, PUBLISHED)
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


@bounds
def test_no_change_yet_has_a_gradient(
    tiny: Descriptor, own: LoopSettings, largest: float, unseen: float | None
) -> None:
    for dtype in (torch.float32, torch.float64):
        batch = make_batch(16, largest=largest, unseen=unseen, dtype=dtype)
        offsets = torch.zeros_like(batch.offsets).requires_grad_()
        losses = losses_of(batch, tiny.to(dtype=dtype), offsets, own)
        (gradient,) = torch.autograd.grad(losses.sum(), offsets)
        assert torch.isfinite(gradient).all()
        assert (gradient != 0).flatten(1).any(1).all()


@bounds
def test_a_picture_that_may_not_change_stays(
    tiny: Descriptor, own: LoopSettings, largest: float, unseen: float | None
) -> None:
    batch = make_batch(16, largest=largest, unseen=unseen, dtype=torch.float32)
    batch.allowed[0] = 0
    objective = reconstruction_objective(make_targets().float(), distortion_weight=0.01)
    shares = optimise(batch, tiny.forward, objective, own)
    assert torch.isfinite(shares).all()
    changes = (batch.allowed * shares).flatten(1).norm(dim=1)
    assert changes[0] == 0
    assert (changes[1:] > 0).all()
    torch.testing.assert_close(
        render(batch, batch.offsets, own)[0], batch.pictures[0], rtol=0, atol=0
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
        if batch.alike[place]:
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
        alike=batch.alike,
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


@bounds
def test_steps_with_momentum_by_hand(
    tiny: Descriptor, own: LoopSettings, largest: float, unseen: float | None
) -> None:
    """Steps along the unit gradient at a falling rate; edited copies have equal weight."""
    exact = tiny.double()
    batch = make_batch(16, largest=min(largest, 0.0108), unseen=unseen)
    plan = EditPlan(toned=2, shaped=3)
    own = replace(own, steps=4, rate=0.3, final_rate=0.4, momentum=0.6, edits=plan)
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
        seen = torch.cat(list(apply_edits(render(batch, values, own), batch.edits, step)))
        (gradient,) = torch.autograd.grad(objective(exact.forward(seen), seen).sum(), values)
        unit = gradient / gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        velocity = 0.6 * velocity + unit
        offsets = offsets - rate * velocity
    found = optimise(batch, exact.forward, objective, own)
    torch.testing.assert_close(found, gain_of(batch, offsets, own), atol=1e-6, rtol=1e-6)


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


def test_the_largest_gain_is_eased_as_well(tiny: Descriptor) -> None:
    batch = make_batch(16, largest=1.0, unseen=0.17, dtype=torch.float32)
    own = replace(PROPORTIONAL, steps=4, strength=9.0, shrink=0.8)
    gain = optimise(batch, tiny.forward, AllSafeButOne(unsafe=1), own)
    torch.testing.assert_close(rms(gain), 0.17 * torch.tensor([0.8**4, 1.0, 0.8**4]))
    never = optimise(batch, tiny.forward, AllSafeButOne(unsafe=1), replace(own, shrink=1.0))
    torch.testing.assert_close(rms(never), torch.full((COUNT,), 0.17))


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


@settings(max_examples=100, deadline=None)
@given(
    spread=st.floats(1e-8, 1e3),
    largest=st.floats(1e-4, 1.0),
    unseen=st.none() | st.floats(1e-3, 3.0),
    own=st.builds(LoopSettings, strength=st.floats(0.1, 10), saturating=st.booleans()),
    alike=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_strength_and_budgets_are_never_exceeded(
    spread: float,
    largest: float,
    unseen: float | None,
    own: LoopSettings,
    alike: bool,
    seed: int,
) -> None:
    batch = make_batch(8, largest=largest, unseen=unseen, dtype=torch.float32)
    batch = all_alike(batch) if alike else batch
    drawn = torch.randn(batch.offsets.shape, generator=torch.Generator().manual_seed(seed))
    offsets = drawn * spread
    gain = gain_of(batch, offsets, own)
    may_change = batch.allowed > 0
    assert (rms(batch.allowed * gain) <= largest * (1 + 1e-5)).all()
    assert (rms(gain * may_change) <= (unseen or own.strength) * (1 + 1e-5)).all()
    assert gain.abs().max() <= own.strength * (1 + 1e-6)
    assert (gain[batch.alike] == gain[batch.alike][:, :1]).all()
    expected = obvious_gain(batch, offsets, own)
    rounding = 1e-6 * float(expected.abs().max())
    torch.testing.assert_close(gain, expected, rtol=1e-4, atol=rounding)


def obvious_gain(batch: Batch, offsets: torch.Tensor, own: LoopSettings) -> torch.Tensor:
    """Return the largest multiple of each picture's offsets that keeps all bounds, in float64."""
    found = []
    for place, offset in enumerate(offsets.double()):
        shape = offset.tanh() if own.saturating else offset
        if batch.alike[place]:
            shape = shape.mean(0).expand(3, -1, -1)
        allowed = batch.allowed[place].double()
        most = [float(batch.max_rms[place] / (shape * allowed).square().mean().sqrt())]
        if batch.max_gain is not None:
            most.append(
                float(batch.max_gain[place] / shape[allowed > 0].square().sum().sqrt())
                * math.sqrt(allowed.numel())
            )
        # What saturates has its largest where tanh is one; what is in proportion, anywhere.
        if own.saturating:
            most.append(own.strength)
        found.append((shape * min(most)).clamp(-own.strength, own.strength))
    return torch.stack(found).to(offsets.dtype)


@pytest.mark.parametrize("unseen", [None, 0.17])
def test_in_proportion_the_offsets_size_does_not_matter(unseen: float | None) -> None:
    batch = make_batch(8, largest=0.008, unseen=unseen)
    drawn = torch.randn(batch.offsets.shape, generator=torch.Generator().manual_seed(5)).double()
    expected = gain_of(batch, drawn, PROPORTIONAL)
    for size in (1e-6, 7.0):
        torch.testing.assert_close(gain_of(batch, size * drawn, PROPORTIONAL), expected)
    # And a place of twice the offset changes twice as much, unless it is clipped.
    free = expected.abs() < PROPORTIONAL.strength
    shape = torch.where(batch.alike[:, None, None, None], drawn.mean(1, keepdim=True), drawn)
    for gain, own, unclipped in zip(expected, shape, free, strict=True):
        assert unclipped.float().mean() > 0.5
        factors = (gain / own)[unclipped]
        torch.testing.assert_close(factors, factors.mean().expand_as(factors))
        assert factors[0] > 0


def test_where_nothing_may_change_takes_nothing_of_the_largest_gain() -> None:
    batch = all_alike(make_batch(8, largest=1.0, unseen=0.1))
    drawn = torch.randn(batch.offsets.shape, generator=torch.Generator().manual_seed(6)).double()
    expected = gain_of(batch, drawn, PROPORTIONAL)
    drawn[:, :, :3, :3] *= 50
    found = gain_of(batch, drawn, PROPORTIONAL)
    may_change = batch.allowed > 0
    torch.testing.assert_close(found[may_change], expected[may_change])
    torch.testing.assert_close(rms(found * may_change), torch.full((COUNT,), 0.1).double())


@pytest.mark.parametrize("saturating", [True, False])
def test_every_step_keeps_the_budget(tiny: Descriptor, saturating: bool) -> None:
    batch = make_batch(16, largest=0.004, dtype=torch.float32)
    own = replace(PUBLISHED, saturating=saturating)
    seen = []

    def describe(rendered: torch.Tensor) -> torch.Tensor:
        seen.append(rms((rendered - batch.pictures).detach()))
        return tiny.forward(rendered)

    objective = reconstruction_objective(make_targets().float(), distortion_weight=0.01)
    shares = optimise(batch, describe, objective, own)
    assert len(seen) == own.steps
    assert torch.stack(seen).max() <= 0.004 * (1 + 1e-4)
    last = rms(batch.allowed * shares)
    assert last.max() <= 0.004 * (1 + 1e-5)
    assert last.min() > 0.0039  # and the budget is used


@pytest.mark.parametrize("own", [PUBLISHED, PROPORTIONAL], ids=["saturating", "in proportion"])
def test_every_step_keeps_the_largest_gain(tiny: Descriptor, own: LoopSettings) -> None:
    batch = make_batch(16, largest=1.0, unseen=0.17, dtype=torch.float32)
    seen = []

    def describe(rendered: torch.Tensor) -> torch.Tensor:
        seen.append(rms(((rendered - batch.pictures) / batch.allowed).detach()))
        return tiny.forward(rendered)

    objective = reconstruction_objective(make_targets().float(), distortion_weight=0.01)
    gain = optimise(batch, describe, objective, own)
    assert len(seen) == own.steps
    assert torch.stack(seen).max() <= 0.17 * (1 + 1e-4)
    assert 0.165 < rms(gain).min() <= rms(gain).max() <= 0.17 * (1 + 1e-5)


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
    assert PUBLISHED.saturating
