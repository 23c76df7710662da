"""The choice between processes of this machine and a Ray cluster, made once, by name.

Code with tasks to do knows only the two protocols here, :class:`Workforce` and :class:`Workers`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from homing.errors import UsageError
from homing.workers import processes
from homing.workers.ray import connect_cluster, is_ray_name

Task = TypeVar("Task")
Result = TypeVar("Result")
_Result_co = TypeVar("_Result_co", covariant=True)


class Workers(Protocol[Task, _Result_co]):
    """Workers that do tasks of one kind; when one dies, its task is retried."""

    def in_order(
        self, tasks: Iterable[Task], *, ahead: int = processes.AHEAD
    ) -> Iterator[_Result_co]:
        """Yield results in task order; start at most `ahead` tasks per worker in advance.

        Results that are ready before their turn wait in memory.
        """

    def as_done(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, _Result_co]]:
        """Yield each task with its result, in the order in which they are done."""


class Workforce(Protocol):
    """A place where tasks are done."""

    @property
    def count(self) -> int:
        """Number of tasks done at the same time."""

    @property
    def per_machine(self) -> int:
        """Number of them that share the processors of one machine."""

    def hire(
        self,
        begin: Callable[[], Callable[[Task], Result]],
        doing: str,
        *,
        most: int | None = None,
        device: str = "cpu",
    ) -> AbstractContextManager[Workers[Task, Result]]:
        """Return workers for tasks of one kind; none of them outlives the context.

        Each worker calls `begin`, a function of module level or a partial of one, at its first
        task; it returns the function that does a task. `doing` completes the error message "the
        processes that ... die". `most` is the number of tasks, if known; `device` is what each
        worker computes on.
        """


@dataclass(frozen=True)
class ThisMachine:
    """Processes of this machine, which share its processors and its accelerator."""

    count: int

    @property
    def per_machine(self) -> int:
        """Number of processes: all are on one machine."""
        return self.count

    def hire(
        self,
        begin: Callable[[], Callable[[Task], Result]],
        doing: str,
        *,
        most: int | None = None,
        device: str = "cpu",
    ) -> AbstractContextManager[Workers[Task, Result]]:
        """Return workers; see :meth:`Workforce.hire`."""
        del device  # every process of a machine names its device the same way
        return processes.Workers(begin, min(self.count, most or self.count), doing)


def parse_workers(text: str) -> int | str:
    """Parse the value of ``--workers``: a number of processes, or the name of a Ray cluster."""
    if text.isdecimal() and len(text) < 5:
        return int(text)
    if is_ray_name(text):
        return text
    raise UsageError(
        f"workers are a number of processes, 'ray', 'ray:N' or 'ray://HOST:PORT', not {text!r}"
    )


@contextmanager
def open_workforce(workers: int | str) -> Iterator[Workforce | None]:
    """Open a workforce by its number of processes or its name; see :func:`parse_workers`.

    One process is None: the calling process does the work alone. `UsageError` if the name makes no
    sense, or Ray is missing or its cluster cannot be reached.
    """
    chosen = parse_workers(workers) if isinstance(workers, str) else workers
    if isinstance(chosen, str):
        with connect_cluster(chosen) as cluster:
            yield cluster
        return
    processes.refuse_no_workers(chosen)
    yield None if chosen == 1 else ThisMachine(chosen)
