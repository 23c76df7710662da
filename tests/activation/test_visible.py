"""The least visible: scales are searched until the file looks enough like its source."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.activation.budget import Coded
from homing.activation.visible import fit_visible


class Coder:
    """A coder whose files are scored ``100 - strength · scale ** power``, in lumps of scale."""

    def __init__(
        self, strength: float, power: float, *, lump: float = 0.0, loss: float = 0.0, cap: float = 9
    ) -> None:
        self.strength, self.power, self.lump, self.loss, self.cap = strength, power, lump, loss, cap
        self.scales: list[float] = []

    def code(self, scale: float) -> Coded:
        scale = min(scale, self.cap)
        if self.lump:
            scale = math.floor(scale / self.lump) * self.lump
        self.scales.append(scale)
        return Coded(b"", np.array([[[scale]]]), 50.0, scale, "fake")

    def score(self, pixels: np.ndarray) -> float:
        return 100 - self.loss - self.strength * float(pixels[0, 0, 0]) ** self.power


def test_what_is_not_seen_is_coded_once() -> None:
    coder = Coder(10, 1.1)
    coded, score = fit_visible(coder.code, coder.score, least=85, largest=1.0)
    assert coder.scales == [1.0]
    assert (coded.scale, score) == (1.0, 90.0)


def test_without_a_least_score_the_score_is_told() -> None:
    coder = Coder(60, 1.1)
    coded, score = fit_visible(coder.code, coder.score, least=None, largest=1.0)
    assert (coded.scale, score) == (1.0, 40.0)


def test_pictures_too_small_for_a_score_are_coded_once() -> None:
    coder = Coder(60, 1.1)
    coded, score = fit_visible(coder.code, lambda _: None, least=85, largest=1.0)
    assert coder.scales == [1.0]
    assert score is None
    assert coded.scale == 1.0


@pytest.mark.parametrize("strength", [16, 20, 30])
def test_the_usual_picture_is_coded_twice(strength: float) -> None:
    coder = Coder(strength, 1.13)
    coded, score = fit_visible(coder.code, coder.score, least=85, largest=1.0)
    assert len(coder.scales) == 2
    assert score is not None
    assert 85 <= score < 86
    assert coded.scale < 1


@given(
    strength=st.floats(15, 400),
    power=st.floats(0.4, 3.0),
    lump=st.sampled_from([0.0, 0.01, 0.05]),
    largest=st.floats(0.2, 4.0),
    least=st.floats(60, 95),
)
def test_the_least_score_is_kept(
    strength: float, power: float, lump: float, largest: float, least: float
) -> None:
    coder = Coder(strength, power, lump=lump)
    coded, score = fit_visible(coder.code, coder.score, least=least, largest=largest)
    assert score is not None
    assert score >= least
    assert coded.scale <= largest * (1 + 1e-12)  # the coder's own rounding
    assert len(coder.scales) <= 6
    # Its pixels may be left to be decoded again.
    assert score == coder.score(np.array([[[coded.scale]]]))


def test_a_first_step_that_went_too_far_is_taken_back() -> None:
    coder = Coder(80, 0.5)  # the score falls steeply at first, then hardly
    coded, score = fit_visible(coder.code, coder.score, least=60, largest=1.0)
    assert score is not None
    assert 60 <= score < 61
    assert coded.scale == pytest.approx(0.25, rel=0.06)


def test_the_budget_may_scale_down_first() -> None:
    coder = Coder(20, 1.1, cap=0.3)
    coded, score = fit_visible(coder.code, coder.score, least=85, largest=2.0)
    assert coder.scales == [0.3]
    assert score is not None
    assert score > 85
    assert coded.scale == 0.3


@given(
    strength=st.floats(1, 60),
    power=st.floats(0.95, 1.5),
    least=st.floats(80, 97),
    largest=st.sampled_from([1.0, 2.0]),
    cap=st.floats(0.1, 3),
)
def test_as_much_is_changed_as_may_be_seen(
    strength: float, power: float, least: float, largest: float, cap: float
) -> None:
    coder = Coder(strength, power, cap=cap)
    coded, score = fit_visible(coder.code, coder.score, least=least, largest=largest)
    assert score is not None
    first = min(largest, cap)
    if coder.score(np.array([[[first]]])) >= least:
        assert coder.scales == [first]
    else:
        assert least <= score <= least + 1.5
        assert coded.scale < first


@given(st.integers(0, 10_000), st.floats(0, 6))
def test_a_file_that_is_seen_too_much_never_replaces_one_that_is_not(
    seed: int, unsteady: float
) -> None:
    noise = np.random.default_rng(seed)
    coder = Coder(20, 1.0)
    scores: list[float] = []

    def score(pixels: np.ndarray) -> float:
        scores.append(coder.score(pixels) + float(noise.normal(0, unsteady)))
        return scores[-1]

    _, found = fit_visible(coder.code, score, least=90, largest=1.0)
    assert found in scores
    assert found >= 90 or max(scores) < 90


def test_a_coding_that_is_seen_too_much_by_itself_is_changed_a_little() -> None:
    coder = Coder(20, 1.1, loss=20)
    coded, score = fit_visible(coder.code, coder.score, least=85, largest=1.0)
    assert score is not None
    assert 78 <= score < 79.5
    assert coded.scale > 0
