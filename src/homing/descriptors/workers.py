"""Threads that each run a network of their own, beside each other.

A network on small pictures scales badly over the threads of one operation: its depthwise
convolutions wait for each other at hundreds of barriers a pass. One thread a network and several
networks side by side take about half of the processor time for the same passes.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from homing.workers.ahead import submitted_ahead

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

MOST_WORKERS = 8  # each holds a batch: this bounds memory on machines of many processors

_setting = threading.Lock()  # of torch's number of threads, which belongs to the process


def in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int | None = None
) -> Iterator[_Result]:
    """Yield what the function makes of each item, in their order, by :func:`network_workers`.

    Items are taken one further than the workers can hold, so that none of them waits for whoever
    takes the results; no further, so that memory stays bounded however many there are.
    """
    with network_workers(threads) as (pool, count):
        for future in submitted_ahead((pool.submit(function, item) for item in items), count):
            yield future.result()


@contextmanager
def network_workers(threads: int | None = None) -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Give a pool of threads that share torch's threads evenly, and how many they are.

    torch's own number of threads (that of the processors, or what the user asked for) is that of
    the calling thread afterwards as before. What was not begun at the end is dropped.

    Parameters
    ----------
    threads : int or None
        torch's threads of each worker; None: an even share. The last bits of what a network
        computes depend on this number.
    """
    with _setting:
        total = torch.get_num_threads()
        count = min(total, MOST_WORKERS)
        begun = threading.Barrier(count + 1)
        pool = ThreadPoolExecutor(count, "homing-network")
        try:
            for _ in range(count):
                pool.submit(_begin, threads or total // count, begun)
            begun.wait()
        except BaseException:
            begun.abort()
            pool.shutdown()
            raise
        finally:
            torch.set_num_threads(total)  # a worker sets that of the process beside its own
    try:
        yield pool, count
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(threads: int, begun: threading.Barrier) -> None:
    torch.get_num_threads()  # the first use of a thread takes the process's number; later ones not
    torch.set_num_threads(threads)
    begun.wait()


def networks_beside(processes: int) -> int:
    """How many networks of one thread each of so many processes of this machine runs."""
    return min(_share(processes), MOST_WORKERS)


def share_threads(processes: int) -> None:
    """Take this process's share of torch's threads, where so many processes run networks."""
    torch.set_num_threads(_share(processes))


def _share(processes: int) -> int:
    return max(1, torch.get_num_threads() // processes)
