"""The choice between processes of this machine and a Ray cluster, made once, by name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from homing.errors import UsageError
from homing.workers import processes
from homing.workers.ray import RayCluster, connect_cluster, is_ray_name

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ThisMachine:
    """Processes of this machine, which share its processors and its accelerator."""

    count: int  # tasks done at the same time

    @property
    def per_machine(self) -> int:
        """Number of tasks that share the processors of one machine."""
        return self.count

    def hire(
        self,
        begin: Callable[[], Callable[[Task], Result]],
        doing: str,
        *,
        most: int | None = None,
        device: str = "cpu",
    ) -> processes.Workers[Task, Result]:
        """Return workers for tasks of one kind; for `begin` and `doing` see `processes.Workers`.

        `most` is the number of tasks, if known; `device` is what each worker computes on.
        """
        del device  # every process of a machine names its device the same way
        return processes.Workers(begin, min(self.count, most or self.count), doing)


Workforce: TypeAlias = ThisMachine | RayCluster


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
