"""Settings of both commands."""

import pytest

from homing.bench import run as retrieval
from homing.bench import run_descriptors as descriptors
from homing.bench.settings import Sizes
from homing.errors import UsageError


@pytest.mark.parametrize("kind", [Sizes, descriptors.Settings, retrieval.Settings])
@pytest.mark.parametrize(
    "wrong", [{"base_size": 0}, {"random_draws": 0}, {"pictures": 0}, {"seed": -1}]
)
def test_numbers_that_are_too_small_are_refused_by_both_commands(kind, wrong):
    with pytest.raises(UsageError, match="at least 1"):
        kind(**wrong)


@pytest.mark.parametrize("wrong", [{"sample": -1}, {"indexes": ()}])
def test_settings_that_say_nothing_are_refused(wrong):
    with pytest.raises(UsageError, match="at least 0, and there is an index"):
        retrieval.Settings(**wrong)
