"""Resources that all steps of a run share: worker processes, cache folder, progress bar, limits.

NumPy is not imported here: worker processes import this module before they limit its threads.
"""

import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from homing.errors import UsageError
from homing.options import DEFAULT_LIMITS, Limits
from homing.workers.processes import LostTaskError, Workers

Thing = TypeVar("Thing")
Result = TypeVar("Result")


class Bar(Protocol):
    """A progress bar."""

    def by(self, count: int) -> None:
        """Move on."""


#: Opens a progress bar of a total and a description.
Progress = Callable[[int, str], AbstractContextManager[Bar]]


class Mapper(Protocol):
    """Applies functions to many things; see :class:`ProcessPool`."""

    def map(self, function: Callable[[Thing], Result], things: Iterable[Thing]) -> Iterator[Result]:
        """Yield the function's results in the order of the things."""


class ProcessPool:
    """Worker processes that apply functions of module level, or partials of them, to things."""

    def __init__(self, workers: "Workers[bytes, Any]") -> None:
        self.workers = workers

    def map(self, function: Callable[[Thing], Result], things: Iterable[Thing]) -> Iterator[Result]:
        """Yield the function's results in order; `things` is read as processes become free.

        Raises `UsageError` if processes are killed, most likely for lack of memory.
        """
        # Pickled here: a process unpickles a task, and imports NumPy, only after `_begin`.
        tasks = (pickle.dumps((function, thing)) for thing in things)
        try:
            yield from self.workers.in_order(tasks)
        except LostTaskError as error:
            raise UsageError(
                "a worker process was ended from outside, most likely for lack of memory; "
                "the same command goes on where it stopped"
            ) from error


@contextmanager
def open_pool(count: int | None = None) -> Iterator[ProcessPool]:
    """Start worker processes, one for each usable core unless `count` says otherwise."""
    with Workers[bytes, Any](_begin, count or _usable_cores(), "measure") as workers:
        yield ProcessPool(workers)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _begin() -> Callable[[bytes], Any]:
    """Set a worker process up before it imports anything heavy."""
    # The processes share the cores; threads of a matrix product would only compete for them.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    return _apply


def _apply(task: bytes) -> Any:
    function, thing = pickle.loads(task)  # noqa: S301 - pickled by the process that started this
    return function(thing)


@dataclass(frozen=True, eq=False)
class Run:
    """Resources of a run."""

    workers: Mapper  # read, edit and compare pictures
    cache: Path  # folder of intermediate results; made if need be
    progress: Progress
    limits: Limits = DEFAULT_LIMITS  # the most that is decoded of a file


@contextmanager
def open_run(out: Path, progress: Progress, limits: Limits) -> Iterator[Run]:
    """Open the resources of a run whose files are beneath `out`."""
    with open_pool() as pool:
        yield Run(pool, out / "cache", progress, limits)
