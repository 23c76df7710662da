"""Releases and trials of them, in processes with bounds on memory and time.

Such a process holds the archive and its network, reads the picture, changes it, codes it, signs it
and records it: the service's own process decodes no foreign bytes. A lost process is replaced.
"""

import math
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from homing.activation import Activator
from homing.archive import Archive, open_archive
from homing.archive.results import Outcome
from homing.c2pa import ContentCredentials
from homing.errors import PictureError
from homing.options import Activation, Limits
from homing.serve.settings import Settings
from homing.serve.tasks.processes import BoundedWorkers, bound_memory
from homing.workers.memory import keep_freed_memory


@dataclass(frozen=True)
class Trial:
    """A picture activated, but not recorded."""

    data: bytes  # the file as it would be released, unsigned
    psnr: float | None  # dB; None if nothing changed
    ssim: float | None
    ssimulacra2: float | None
    cell_kept: bool


def release_pictures(
    folder: Path,
    manifest: Path,
    out: Path,
    activation: Activation,
    limits: Limits,
    c2pa: ContentCredentials | None,
    *,
    archive: Archive,
) -> Sequence[Outcome]:
    """Release the pictures that a ``.jsonl`` manifest names in a folder; outcomes in their order.

    The files go to `out`, and are signed where there are credentials.
    """
    report = archive.release(
        folder,
        manifest=manifest,
        out=out,
        limits=limits,
        c2pa=c2pa,
        psnr=activation.psnr,
        method=activation.method,
        format=activation.format,
    )
    return report.outcomes


def try_activation(
    data: bytes, activation: Activation, limits: Limits, *, archive: Archive
) -> Trial:
    """Activate a picture as a release would; `PictureError` if it cannot be released."""
    activator = Activator.of(archive.descriptor, archive.codebook, activation, limits)
    (result,) = activator.run([data])
    if isinstance(result, PictureError):
        raise result
    psnr = None if math.isinf(result.psnr) else result.psnr
    return Trial(result.data, psnr, result.ssim, result.ssimulacra2, result.cell_kept)


class Releaser(BoundedWorkers):
    """A process that does such tasks one after the other; the first one starts it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            partial(_ArchiveProcess, settings),
            1,
            "release pictures",
            seconds=settings.release_seconds,
            refusal=release_refusal(settings),
        )


def release_refusal(settings: Settings) -> str:
    """Return why a picture is refused that its process was lost over."""
    return (
        f"releasing it takes more than {settings.release_memory >> 20} MiB of memory or "
        f"{settings.release_seconds:g} seconds, or crashes what reads it; save it anew, or smaller"
    )


class _ArchiveProcess:
    """State of the process: its archive.

    That is opened with the first task, so that a failure to do so is not mistaken for a lost
    process.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._archive: Archive | None = None
        self._busy = False
        signal.signal(signal.SIGTERM, self._terminate)
        keep_freed_memory()

    def __call__(self, task: Callable[..., Any]) -> Any:
        self._busy = True
        try:
            if self._archive is None:
                self._archive = self._open()
            return task(archive=self._archive)
        except RuntimeError as error:
            if "allocate memory" in str(error):  # torch's words
                raise MemoryError(str(error)) from error
            raise
        finally:
            self._busy = False

    def _open(self) -> Archive:
        settings = self._settings
        archive = open_archive(settings.archive, device=settings.device, engine=settings.engine)
        if archive.descriptor.device.type == "cpu":  # an accelerator's libraries reserve too much
            bound_memory(settings.release_memory, reserved=False)
        return archive

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        """End, unless a task is being done.

        Service managers signal all processes of a service at once: then the current task is
        finished, and the service, which waits for it, signals again.
        """
        del number, frame
        if not self._busy:
            os._exit(1)  # an idle process has nothing to tidy up, which takes a network seconds
