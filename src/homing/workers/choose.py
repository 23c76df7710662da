"""Who does the work: several processes of this machine, or the workers of a Ray cluster.

What is to be done knows only what stands here; where it is done, is chosen once, by a name.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from homing.errors import UsageError
from homing.workers import processes
from homing.workers.ray import connected, is_ray

Task = TypeVar("Task")
Result = TypeVar("Result")
_Result_co = TypeVar("_Result_co", covariant=True)


class Workers(Protocol[Task, _Result_co]):
    """Do tasks of one kind; one that dies costs its task another try."""

    def in_order(
        self, tasks: Iterable[Task], *, ahead: int = processes.AHEAD
    ) -> Iterator[_Result_co]:
        """Yield the results in the order of the tasks, so many a worker of which are begun ahead.

        Results that are there before their turn wait in memory.
        """

    def as_done(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, _Result_co]]:
        """Yield each task with its result as soon as it is there."""


class Workforce(Protocol):
    """Where tasks are done.

    Attributes
    ----------
    count : int
        Tasks that are done at the same time.
    per_machine : int
        Those of one machine, which share its processors.
    """

    @property
    def count(self) -> int:
        """Tasks that are done at the same time."""

    @property
    def per_machine(self) -> int:
        """Those of one machine."""

    def hire(
        self,
        begin: Callable[[], Callable[[Task], Result]],
        doing: str,
        *,
        most: int | None = None,
        device: str = "cpu",
    ) -> AbstractContextManager[Workers[Task, Result]]:
        """Workers for tasks of one kind, none of which is left at the end.

        Parameters
        ----------
        begin : callable
            Called by each worker at its first task; returns the function that does a task. Of
            module level, or a partial of one.
        doing : str
            What they do, for the error: "the processes that ... die".
        most : int or None
            How many tasks there are, if known.
        device : str
            What each computes on.
        """


@dataclass(frozen=True)
class ThisMachine:
    """So many processes of this machine; they share its processors, and its accelerator."""

    count: int

    @property
    def per_machine(self) -> int:
        """All of them."""
        return self.count

    def hire(
        self,
        begin: Callable[[], Callable[[Task], Result]],
        doing: str,
        *,
        most: int | None = None,
        device: str = "cpu",
    ) -> AbstractContextManager[Workers[Task, Result]]:
        """As :meth:`Workforce.hire`."""
        del device  # one's own is named the same way by all processes of a machine
        return processes.Workers(begin, min(self.count, most or self.count), doing)


def workers_named(text: str) -> int | str:
    """What ``--workers`` says: a number of processes, or the name of a Ray cluster.

    Raises
    ------
    UsageError
        It is neither.
    """
    if text.isdecimal() and len(text) < 5:
        return int(text)
    if is_ray(text):
        return text
    raise UsageError(
        f"workers are a number of processes, 'ray', 'ray:N' or 'ray://HOST:PORT', not {text!r}"
    )


@contextmanager
def hired(workers: int | str) -> Iterator[Workforce | None]:
    """Find those who do the work; None: nobody, and the calling process does it alone.

    Parameters
    ----------
    workers : int or str
        How many processes of this machine; or ``ray``, ``ray:N``, ``ray://HOST:PORT``.

    Raises
    ------
    UsageError
        There is none, the name makes no sense, Ray is missing, or its cluster cannot be reached.
    """
    who = workers_named(workers) if isinstance(workers, str) else workers
    if isinstance(who, str):
        with connected(who) as machines:
            yield machines
        return
    processes.refuse_no_workers(who)
    yield None if who == 1 else ThisMachine(who)
