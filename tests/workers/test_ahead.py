"""The loop that submits tasks ahead: their order, and their number ahead."""

import pytest

from homing.workers.ahead import submitted_ahead


@pytest.mark.parametrize("ahead", [0, 1, 3, 20])
def test_submissions_come_in_order_and_stay_within_the_limit_ahead(ahead):
    submitted = []
    tasks = (submitted.append(number) or number for number in range(10))
    for taken, number in enumerate(submitted_ahead(tasks, ahead)):
        assert number == taken
        assert len(submitted) == min(10, taken + 1 + ahead)
    assert submitted == list(range(10))


def test_nothing_is_submitted_before_the_first_result_is_taken():
    submitted = []
    results = submitted_ahead(map(submitted.append, range(3)), 1)
    assert submitted == []
    next(results)
    assert submitted == [0, 1]
