"""Queue that takes from its clients in rotation."""

import queue
import threading

import pytest

from homing.serve.tasks.fair_queue import FairQueue


def test_clients_are_taken_from_in_rotation():
    fair = FairQueue()
    for name in ("a1", "a2", "a3", "b1", "c1", "c2"):
        fair.put(name[0], name)
    assert len(fair) == 6
    assert [fair.get() for _ in range(6)] == ["a1", "b1", "c1", "a2", "c2", "a3"]
    with pytest.raises(queue.Empty):
        fair.get(timeout=0.01)
    assert not fair._items


def test_all_that_was_put_is_taken_before_the_end():
    fair, taken = FairQueue(), []

    def take():
        while (item := fair.get()) is not None:
            taken.append(item)

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(100):
        fair.put(str(number % 7), number)
    fair.close()
    for thread in threads:
        thread.join(10)
    assert sorted(taken) == list(range(100))
