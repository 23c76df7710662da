"""Torch's threads, shared out to workers; the process's number of them is restored."""

import threading

import pytest
import torch

from homing.descriptors.workers import MOST_WORKERS, network_pool, networks_per_process


@pytest.fixture
def threads():
    """Set torch's number of threads for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("total", [1, 2, 3, MOST_WORKERS, 2 * MOST_WORKERS + 1])
def test_threads_are_shared_out(threads, total: int) -> None:
    threads(total)
    with network_pool() as (pool, count):
        assert count == min(total, MOST_WORKERS)
        assert torch.get_num_threads() == total
        together = threading.Barrier(count)  # each worker gets one task

        def ask(_: int) -> int:
            together.wait()
            torch.relu(torch.ones(1 << 17))  # the first operation of a thread must not undo it
            return torch.get_num_threads()

        assert list(pool.map(ask, range(count))) == [total // count] * count
    assert torch.get_num_threads() == total


def test_those_of_several_processes_are_fewer(threads) -> None:
    threads(2 * MOST_WORKERS)
    assert [networks_per_process(processes) for processes in (1, 2, 4, 99)] == [
        MOST_WORKERS,
        MOST_WORKERS,
        MOST_WORKERS // 2,
        1,
    ]


def test_each_has_the_requested_number_of_threads(threads) -> None:
    threads(2 * MOST_WORKERS)
    with network_pool(1) as (pool, count):
        assert count == MOST_WORKERS
        together = threading.Barrier(count)
        found = list(pool.map(lambda _: (together.wait(), torch.get_num_threads())[1], range(8)))
        assert found == [1] * 8


def test_a_thread_begun_meanwhile_gets_the_number_of_the_process(threads) -> None:
    threads(3)
    found = []
    with network_pool():
        thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        thread.start()
        thread.join()
    assert found == [3]


def test_what_was_not_begun_is_dropped(threads) -> None:
    threads(1)
    running, go_on, done = threading.Event(), threading.Event(), []

    def first() -> None:
        running.set()
        go_on.wait()

    def stopped() -> None:
        with network_pool() as (pool, _):
            pool.submit(first)
            pool.submit(done.append, "second")
            running.wait()
            threading.Timer(0.2, go_on.set).start()
            raise KeyError

    with pytest.raises(KeyError):
        stopped()
    assert done == []
