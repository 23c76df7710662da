"""What all stages of a run share: the processes, the cache, the bar, the bounds on decoding."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from homing.bench.workers import Workers
from homing.options import DEFAULT_LIMITS, Limits


class Bar(Protocol):
    """A progress bar."""

    def by(self, count: int) -> None:
        """Move on."""


#: Opens a progress bar of a total and a description.
Progress = Callable[[int, str], AbstractContextManager[Bar]]


@dataclass(frozen=True, eq=False)
class Run:
    """What a run makes things with.

    Attributes
    ----------
    workers : Workers
        Processes that read, edit and compare pictures.
    cache : Path
        Folder for what is kept; made if need be.
    progress : callable
        Opens a progress bar.
    limits : Limits
        The most that is decoded of a file.
    """

    workers: Workers
    cache: Path
    progress: Progress
    limits: Limits = DEFAULT_LIMITS
