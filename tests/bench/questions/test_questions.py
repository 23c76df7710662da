"""Questions by name. All run in tests/bench/test_run.py: budgets, case, foreign, lossy, rivals."""

import pytest

from homing.bench.questions import QUESTIONS, find_questions
from homing.errors import UsageError


def test_questions_by_name():
    assert find_questions("none") == ()
    assert find_questions("budgets, lossy") == ("budgets", "lossy")
    assert find_questions("all") == tuple(QUESTIONS)
    with pytest.raises(UsageError, match="nonsense"):
        find_questions("budgets,nonsense")
