"""Processes for foreign bytes, with bounds on memory and time; a lost one is replaced."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from homing.errors import PictureError
from homing.workers.processes import LostTaskError, Workers

_T = TypeVar("_T")

# Raised by a task that took more than it may, or that ended its process.
LOST = (LostTaskError, MemoryError)


class BoundedWorkers(Workers[Callable[..., Any], Any]):
    """Processes that try each task once and have `seconds` for it.

    A task is a function of a module, or a partial of one. `begin` bounds the memory of its process,
    by `bound_memory`, and returns what does a task there. `refusal` says why a picture is refused
    whose task was lost.
    """

    def __init__(
        self,
        begin: Callable[[], Callable[[Callable[..., Any]], Any]],
        count: int,
        doing: str,
        *,
        seconds: float,
        refusal: str,
    ) -> None:
        super().__init__(begin, count, doing, tries=1, seconds=seconds)
        self._refusal = refusal

    def submit(self, task: Callable[..., _T]) -> Future[_T]:
        """Start a task, whose future raises one of `LOST` if it takes too much."""
        return super().submit(task)

    async def run(self, task: Callable[..., _T]) -> _T:
        """Return the result of a task; `PictureError` if it takes too much."""
        future = asyncio.wrap_future(self.submit(task))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])  # until then its process is not free
            raise
        except LOST as error:
            raise PictureError(self._refusal) from error


def do_nothing(**given: object) -> None:
    """Do nothing, in a process that has then started and, if it is given an archive, opened it."""


def bound_memory(memory: int, *, reserved: bool) -> None:
    """Bound the bytes that this process may take beyond its present ones; on Linux alone.

    `reserved` counts merely reserved address space too, of which many threads take much. A process
    that crashes leaves no core dump either.
    """
    if sys.platform != "linux":
        return
    import resource

    which, field = resource.RLIMIT_DATA, "VmData"
    if reserved:
        which, field = resource.RLIMIT_AS, "VmSize"
    limit = _present_bytes(field) + memory
    resource.setrlimit(which, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _present_bytes(field: str) -> int:
    """Return a field of this process's ``/proc`` status, which has kB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(values[field].split()[0]) << 10
