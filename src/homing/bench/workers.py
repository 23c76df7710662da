"""Worker processes: started by spawn, fed in order, never far ahead of who reads them."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from homing.errors import UsageError

Given = TypeVar("Given")
Found = TypeVar("Found")

_AHEAD = 3  # tasks for each process that may wait, being worked on or done


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """Processes that apply a function to many things.

    Parameters
    ----------
    pool : ProcessPoolExecutor
    count : int
        Its processes.
    """

    def __init__(self, pool: ProcessPoolExecutor, count: int) -> None:
        self._pool = pool
        self._ahead = _AHEAD * count

    def map(self, function: Callable[[Given], Found], things: Iterable[Given]) -> Iterator[Found]:
        """Yield what the function makes of each thing, in the order of the things.

        Parameters
        ----------
        function : callable
            Of module level, or a partial of one.
        things : iterable
            Taken from as processes become free.

        Raises
        ------
        UsageError
            A process was killed, most likely for want of memory.
        """
        waiting: deque[Future[Found]] = deque()
        try:
            for thing in things:
                waiting.append(self._pool.submit(function, thing))
                if len(waiting) > self._ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise UsageError(
                "a worker process was ended from outside, most likely for want of memory; "
                "the same command goes on where it stopped"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def open_workers(count: int | None = None) -> Iterator[Workers]:
    """Start worker processes, and end them.

    They are spawned, not forked: a fork of a process with threads (the network's) may hang.

    Parameters
    ----------
    count : int, optional
        One for each usable core without it.
    """
    size = count or usable_cores()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(size, mp_context=context, initializer=_begin)
    try:
        yield Workers(pool, size)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Set a worker up, before it imports anything heavy."""
    # An interruption by the keyboard is for the process that reads the results.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The processes share the cores; a product's own threads would only get in their way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Leave no worker behind when the parent is killed: it would wait for orders for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
