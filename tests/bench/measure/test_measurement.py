"""Measurement of the share of a loss that activation wins back."""

from dataclasses import dataclass

import numpy as np
import pytest

from homing.bench.measure.measurement import share_won_back


@dataclass
class Stub:
    """A measurement of one figure, as `share_won_back` reads it."""

    value: float

    one_probe = 0

    def mean_samples(self, setting):
        return self.value, np.array([self.value, self.value + 0.01])


@pytest.mark.parametrize(
    ("before", "after", "best", "share"),
    [(0.5, 0.8, 0.9, 0.75), (0.5, 0.4, 0.9, -0.25), (0.5, 0.9, 0.9, 1.0)],
)
def test_share_of_the_loss_won_back(before, after, best, share):
    found = share_won_back(Stub(before), Stub(after), Stub(best), 0)
    assert found.mean == pytest.approx(share)
    assert found.low == pytest.approx(share)


def test_nothing_lost_is_nothing_won_back():
    found = share_won_back(Stub(0.9), Stub(0.9), Stub(0.9), 0)
    assert np.isnan([found.mean, found.low, found.high]).all()
