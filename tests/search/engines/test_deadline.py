"""Parts of an archive queried at the same time, within a deadline."""

import threading

import pytest

from homing.errors import HomingError
from homing.search.engines.deadline import Deadline, Part, Partial, query_parts


def test_parts_are_queried_at_the_same_time_and_a_silent_one_is_given_up():
    together, free = threading.Barrier(3), threading.Event()

    def meeting(number):
        together.wait(20)
        return number

    def answered(parts, deadline=None):
        return query_parts(parts, (5,), deadline, lambda: True)

    assert answered([Part(1, meeting)] * 3, Deadline(30)) == [5, 5, 5]
    for deadline in (None, Deadline(30)):
        assert answered([Part(1, lambda n: n), Part(1, lambda n: n + 1)], deadline) == [5, 6]
        assert answered([], deadline) == []
    silent = Part(7, lambda n: free.wait(60))
    deadline = Deadline(0.01)
    for _ in range(40):
        deadline = Deadline(0.01)
        assert answered([silent, Part(1, lambda n: n)], deadline) in ([5], [])
    assert "32 earlier questions are unanswered yet" in deadline.partial.reason
    free.set()
    with pytest.raises(ZeroDivisionError):
        answered([Part(1, lambda n: n // 0), Part(1, lambda n: n)], Deadline(10))


@pytest.mark.parametrize("accepted", [True, False])
def test_a_part_that_cannot_be_read_is_left_out_or_an_error(accepted) -> None:
    def broken(number):
        raise HomingError("gone")

    parts, deadline = [Part(3, broken), Part(1, lambda n: n), Part(2, broken)], Deadline(30)
    if accepted:
        assert query_parts(parts, (5,), deadline, lambda: True) == [5]
        assert deadline.partial == Partial(5, "gone")
        assert deadline.fresh().partial is None
    else:
        with pytest.raises(HomingError, match="gone"):
            query_parts(parts, (5,), deadline, lambda: False)
