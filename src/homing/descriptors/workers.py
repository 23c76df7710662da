"""Worker threads for networks, each with its share of torch's threads.

A network on small pictures scales badly over the threads of one operation: its depthwise
convolutions wait for each other at hundreds of barriers a pass. Several networks side by side, each
on one thread, take about half of the processor time for the same passes.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from homing.workers.ahead import begun_ahead

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

MOST_WORKERS = 8  # each holds a batch: this bounds memory on machines of many processors

_setting = threading.Lock()  # torch's number of threads belongs to the process


def map_in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int | None = None
) -> Iterator[_Result]:
    """Yield the function's results in the order of the items, computed by :func:`network_pool`.

    Items are taken one further than the workers can hold, so that no worker waits for the
    consumer; no further, so that memory stays bounded.
    """
    with network_pool(threads) as (pool, count):
        for future in begun_ahead((pool.submit(function, item) for item in items), count):
            yield future.result()


@contextmanager
def network_pool(threads: int | None = None) -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """Yield a pool of threads that share torch's threads evenly, and their number.

    `threads` is torch's number of threads for each worker, an even share by default; the last bits
    of a network's results depend on it. The calling thread's number is the same afterwards. Tasks
    not started at the end are dropped.
    """
    with _setting:
        total = torch.get_num_threads()
        count = min(total, MOST_WORKERS)
        started = threading.Barrier(count + 1)
        pool = ThreadPoolExecutor(count, "homing-network")
        try:
            for _ in range(count):
                pool.submit(_start_worker, threads or total // count, started)
            started.wait()
        except BaseException:
            started.abort()
            pool.shutdown()
            raise
        finally:
            torch.set_num_threads(total)  # workers change it for the process, too
    try:
        yield pool, count
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(threads: int, started: threading.Barrier) -> None:
    torch.get_num_threads()  # a thread's first use takes the process's number; later ones do not
    torch.set_num_threads(threads)
    started.wait()


def networks_per_process(processes: int) -> int:
    """Return how many networks, of one thread each, a process runs if this machine has several."""
    return min(_share(processes), MOST_WORKERS)


def share_threads(processes: int) -> None:
    """Limit torch's threads to the share of one of several processes on this machine."""
    torch.set_num_threads(_share(processes))


def _share(processes: int) -> int:
    return max(1, torch.get_num_threads() // processes)
