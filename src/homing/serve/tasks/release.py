"""Pictures released, and tried, in processes of their own, with bounds on memory and time.

Such a process holds the archive and its network, reads the picture, changes it, codes it, signs it
and records it: no foreign bytes are decoded in the service's own. One that a picture ends is
replaced.
"""

import math
import os
import signal
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Protocol, TypeVar

from homing.activation import Activator
from homing.archive import Archive, open_archive
from homing.archive.results import Outcome
from homing.c2pa import ContentCredentials
from homing.errors import PictureError
from homing.options import Activation, Limits
from homing.serve.settings import Settings
from homing.serve.tasks.limits import bound_memory
from homing.workers.memory import keep_freed_memory
from homing.workers.processes import Workers

_Result_co = TypeVar("_Result_co", covariant=True)


class ArchiveTask(Protocol[_Result_co]):
    """Something to be done with the archive in another process."""

    def do(self, archive: Archive) -> _Result_co:
        """Do it; called in the other process."""


@dataclass(frozen=True)
class Ready:
    """Nothing: when it is done, its process is there and has the archive and its network."""

    def do(self, archive: Archive) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Release:
    """Release some pictures.

    Attributes
    ----------
    folder : Path
        That the paths of the list are relative to.
    manifest : Path
        The list of pictures, ``.jsonl``.
    out : Path
        Folder for the released files.
    settings : Activation
    limits : Limits
    c2pa : ContentCredentials or None
        What the files are signed with.
    """

    folder: Path
    manifest: Path
    out: Path
    settings: Activation
    limits: Limits
    c2pa: ContentCredentials | None = None

    def do(self, archive: Archive) -> Sequence[Outcome]:
        """Return what became of each, in their order."""
        report = archive.release(
            self.folder,
            manifest=self.manifest,
            out=self.out,
            limits=self.limits,
            c2pa=self.c2pa,
            psnr=self.settings.psnr,
            method=self.settings.method,
            format=self.settings.format,
        )
        return report.outcomes


@dataclass(frozen=True)
class Tried:
    """A picture activated, and recorded nowhere.

    Attributes
    ----------
    data : bytes
        The file as it would be released, unsigned.
    psnr : float or None
        dB; None if nothing changed.
    ssim : float or None
    cell_kept : bool
    """

    data: bytes
    psnr: float | None
    ssim: float | None
    cell_kept: bool


@dataclass(frozen=True)
class Try:
    """Activate a picture, to see what releasing would do to it.

    Attributes
    ----------
    data : bytes
        The file.
    activation : Activation
    limits : Limits
    """

    data: bytes
    activation: Activation
    limits: Limits

    def do(self, archive: Archive) -> Tried:
        """Return it activated; `PictureError` if it cannot be released."""
        activator = Activator.of(archive.descriptor, archive.codebook, self.activation, self.limits)
        (result,) = activator.run([self.data])
        if isinstance(result, PictureError):
            raise result
        decibels = None if math.isinf(result.psnr) else result.psnr
        return Tried(result.data, decibels, result.ssim, result.cell_kept)


class Releaser(AbstractContextManager["Releaser"]):
    """A process that does such tasks, one after the other; it is started with the first.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        begin = partial(
            _AtWork, settings.archive, settings.device, settings.engine, settings.release_memory
        )
        self._workers: Workers[ArchiveTask[Any], Any] = Workers(
            begin, 1, "release pictures", tries=1, seconds=settings.release_seconds
        )

    def __enter__(self) -> "Releaser":
        """Return it; nothing has been started yet."""
        self._workers.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self._workers.__exit__(kind, error, trace)

    def submit(self, task: ArchiveTask[_Result_co]) -> "Future[_Result_co]":
        """Have a task done; it raises one of `bounds.LOST` if it takes too much."""
        return self._workers.submit(task)


def too_much(settings: Settings) -> str:
    """Say what a picture may have done to whom it was given to."""
    return (
        f"releasing it takes more than {settings.release_memory >> 20} MiB of memory or "
        f"{settings.release_seconds:g} seconds, or crashes what reads it; save it anew, or smaller"
    )


class _AtWork:
    """What does the tasks; made in the process that they are done in.

    Nothing can fail before there is a task, which it would be taken for the loss of.
    """

    def __init__(self, archive: str, device: str, engine: str, memory: int) -> None:
        self._place, self._device, self._engine = archive, device, engine
        self._memory = memory
        self._archive: Archive | None = None
        self._busy = False
        signal.signal(signal.SIGTERM, self._leave)
        keep_freed_memory()

    def __call__(self, task: ArchiveTask[Any]) -> Any:
        self._busy = True
        try:
            if self._archive is None:
                self._archive = self._opened()
            return task.do(self._archive)
        except RuntimeError as error:
            if "allocate memory" in str(error):  # as torch says it
                raise MemoryError(str(error)) from error
            raise
        finally:
            self._busy = False

    def _opened(self) -> Archive:
        archive = open_archive(self._place, device=self._device, engine=self._engine)
        if archive.descriptor.device.type == "cpu":  # an accelerator's libraries reserve too much
            bound_memory(self._memory, reserved=False)
        return archive

    def _leave(self, number: int, frame: FrameType | None) -> None:
        """End, unless there is something in hand.

        Service managers ask all processes of a service to end at once: then what is in hand is
        finished, and the service, which waits for it, asks again.
        """
        del number, frame
        if not self._busy:
            os._exit(1)  # at rest there is nothing to tidy up, which takes a network seconds
