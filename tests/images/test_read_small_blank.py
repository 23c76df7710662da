"""Pictures that show nothing are told from those that show little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.images import shows_nothing


def noise(spread, level=128, size=96):
    values = np.random.default_rng(0).normal(level, spread, (size, size, 3))
    return np.rint(values).clip(0, 255).astype(np.uint8)


@given(st.tuples(*[st.integers(0, 255)] * 3), st.integers(1, 64))
def test_one_colour_shows_nothing(colour, size):
    assert shows_nothing(np.full((size, size, 3), colour, np.uint8))


@pytest.mark.parametrize(("spread", "blank"), [(0.3, True), (0.8, True), (1.5, False), (20, False)])
def test_the_least_that_shows_something(spread, blank):
    assert shows_nothing(noise(spread)) == blank


def test_one_channel_is_enough():
    square = np.zeros((96, 96, 3), np.uint8)
    square[:, 48:, 2] = 4
    assert not shows_nothing(square)


def test_a_small_thing_on_black_shows():
    square = np.zeros((160, 160, 3), np.uint8)
    square[80:84, 80:84] = 255
    assert not shows_nothing(square)


def test_many_at_once():
    squares = np.stack([noise(0.1), noise(9), np.zeros_like(noise(1))])
    assert shows_nothing(squares).tolist() == [True, False, True]
