"""When a search of more cells ends."""

from dataclasses import dataclass

import numpy as np
import pytest

from homing.archive.query.answers import _has_copy
from homing.options import SearchOptions


@dataclass
class Rated:
    """A calibration that gives the hits these rates."""

    given: list[float]

    def rates(self, hits, views, entries):
        return np.array(self.given)


@pytest.mark.parametrize(
    ("rates", "ends"), [([1e-5], True), ([0.3, 9e-4], True), ([2e-3, 0.3], False), ([], False)]
)
def test_a_likely_copy_ends_the_search(rates, ends):
    assert _has_copy([], SearchOptions(rate=1e-4), Rated(rates))(None) is ends
    assert not _has_copy([], SearchOptions(rate=1e-7), Rated(rates))(None)


def test_without_a_calibration_nothing_tells():
    assert _has_copy([], SearchOptions(), None) is None
