"""Changes scaled down until they are seen as little as wanted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from homing.activation.budget import Coded
from homing.activation.visible import fit_visible


class Coding:
    """A way to code whose pixels are the scale, and the score that it has by a law."""

    def __init__(self, growth: float = 1.0, lack: float = 20.0, *, budget: float = 9.0) -> None:
        self.growth, self.lack, self.budget = growth, lack, budget
        self.tried: list[float] = []

    def code(self, scale: float) -> Coded:
        self.tried.append(scale)
        scale = min(scale, self.budget)
        return Coded(b"", np.array(scale), 40.0, scale, "law")

    def score(self, pixels: np.ndarray) -> float | None:
        return 100 - self.lack * float(pixels) ** self.growth


@given(
    growth=st.floats(0.95, 1.5),
    lack=st.floats(0.5, 60),
    least=st.floats(80, 97),
    largest=st.sampled_from([1.0, 2.0]),
    budget=st.floats(0.1, 3),
)
def test_as_much_is_changed_as_may_be_seen(
    growth: float, lack: float, least: float, largest: float, budget: float
) -> None:
    coding = Coding(growth, lack, budget=budget)
    coded, score = fit_visible(coding.code, coding.score, least=least, largest=largest)
    assert score == coding.score(coded.pixels)
    assert score >= least
    assert coded.scale <= min(largest, budget)
    if coding.score(min(largest, budget)) >= least:
        assert coding.tried == [largest]
        assert coded.scale == min(largest, budget)
    else:
        assert score <= least + 1.5
        assert len(coding.tried) <= 5


def test_without_a_floor_a_file_is_coded_once() -> None:
    coding = Coding(lack=90)
    coded, score = fit_visible(coding.code, coding.score, least=None, largest=2.0)
    assert (coded.scale, score, coding.tried) == (2.0, -80, [2.0])


def test_a_picture_without_a_score_is_coded_once() -> None:
    coding = Coding(lack=90)
    coded, score = fit_visible(coding.code, lambda _: None, least=90, largest=1.0)
    assert (coded.scale, score, coding.tried) == (1.0, None, [1.0])


def test_a_file_without_any_change_is_not_tried_again() -> None:
    coding = Coding(budget=0.0)
    coded, score = fit_visible(coding.code, lambda _: 12.0, least=90, largest=1.0)
    assert (coded.scale, score, coding.tried) == (0.0, 12.0, [1.0])


def test_where_coding_itself_is_seen_too_much_nothing_is_changed() -> None:
    coding = Coding()
    coded, score = fit_visible(coding.code, lambda p: coding.score(p) - 30, least=85, largest=1.0)
    assert (coded.scale, score) == (0.0, 70)
    assert len(coding.tried) <= 6


@given(st.integers(0, 10_000), st.floats(0, 6))
def test_a_file_that_is_seen_too_much_never_replaces_one_that_is_not(
    seed: int, unsteady: float
) -> None:
    noise = np.random.default_rng(seed)
    coding = Coding()
    scores: list[float] = []

    def score(pixels: np.ndarray) -> float:
        scores.append(coding.score(pixels) + float(noise.normal(0, unsteady)))
        return scores[-1]

    _, found = fit_visible(coding.code, score, least=90, largest=1.0)
    assert found in scores
    assert found >= 90 or max(scores) < 90
