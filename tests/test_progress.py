"""Progress: counts added up, and nothing computed for nobody."""

import pytest

import homing
from homing.progress import Progress, counted


def test_counts_are_added_up() -> None:
    steps: list[homing.Progress] = []
    count = counted(steps.append, lambda: 5)
    assert count is not None
    count(2)
    count(3)
    assert steps == [Progress(2, 5), Progress(5, 5)]


def test_a_total_may_be_unknown_and_is_not_computed_for_nobody() -> None:
    assert counted(None, lambda: pytest.fail("computed")) is None
    steps: list[Progress] = []
    count = counted(steps.append)
    assert count is not None
    count(1)
    assert steps == [Progress(1, None)]
