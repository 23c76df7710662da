"""Releases by upload, done one after the other; they outlive the process.

A job is released a few pictures at a time. What a process that died has left is taken up by the
next one. What dies again and again over a picture gives that picture up: each picture's tries are
counted on disk before they begin. After the first, of several together, each is tried alone.
"""

import itertools
import os
import queue
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from homing.archive.results import Outcome
from homing.errors import HomingError
from homing.images import shown
from homing.options import Activation
from homing.serve.access.tokens import is_token
from homing.serve.http.names import file_address
from homing.serve.jobs.store import Draft, Job, JobFolder, Picture
from homing.serve.settings import Settings
from homing.serve.tasks.limits import LOST
from homing.serve.tasks.release import ArchiveTask, Ready, Release, too_much

_AT_ONCE = 8  # pictures between two looks at whether to stop: two batches of the activation
_MOST_WAITING = 100  # jobs
_TRIES = 2  # of a picture
_PATIENCE = 0.2  # seconds between two looks at whether to end, while a process is started

_Result = TypeVar("_Result")


class Doer(Protocol):
    """Does tasks with the archive."""

    def submit(self, task: ArchiveTask[_Result]) -> "Future[_Result]":
        """Have one done; as :meth:`homing.serve.tasks.release.Releaser.submit`."""


class Jobs(AbstractContextManager["Jobs"]):
    """The jobs of a service, done while the context lasts.

    Parameters
    ----------
    settings : Settings
        Of the service.
    releaser : Doer
        Does what is to be released; asked by one thread.
    on_problem : callable
        Told of a job that failed or a try that was lost, and why.
    """

    def __init__(
        self,
        settings: Settings,
        releaser: Doer,
        on_problem: Callable[[str, Exception], None],
    ) -> None:
        self._settings = settings
        self._folder = settings.folder / "jobs"
        self._out = settings.folder / "released"
        self._releaser = releaser
        self._on_problem = on_problem
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._failed: dict[str, str] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="homing-release")

    def __enter__(self) -> "Jobs":
        """Take up what was left, and begin."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for place in sorted(self._folder.iterdir()):
            if place.name.startswith("."):  # never acknowledged
                shutil.rmtree(place, ignore_errors=True)
            elif is_token(place.name) and JobFolder(place).job().state != "done":
                self._queue.put(place.name)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the pictures in hand; the rest is done when the service starts next."""
        self._ending.set()
        self._queue.put(None)
        self._thread.join()

    def __len__(self) -> int:
        """Count the jobs that wait."""
        return self._queue.qsize()

    def draft(self, settings: Activation) -> Draft:
        """Begin to receive an upload.

        Raises
        ------
        BlockingIOError
            Too many wait already.
        """
        if len(self) >= _MOST_WAITING:
            raise BlockingIOError(f"{len(self)} releases wait already; come again later")
        return Draft(self._folder, settings)

    def put(self, job: Job) -> None:
        """Have a job done."""
        self._queue.put(job.token)

    def get(self, token: str) -> Job | None:
        """Return a job by its token; None if there is none."""
        if not is_token(token):
            return None
        place = JobFolder(self._folder / token)
        return place.job(self._failed.get(token)) if place.exists() else None

    def _work(self) -> None:
        while (token := self._queue.get()) is not None and not self._ending.is_set():
            try:
                self._do(JobFolder(self._folder / token))
            except Exception as error:  # noqa: BLE001 - of one job; told, and the next one done
                self._failed[token] = _failure(error)
                self._on_problem(token, error)

    def _do(self, place: JobFolder) -> None:
        """Go on with a job, until it is done or the service ends."""
        job = place.job()
        done = len(job.outcomes)
        while done < len(job.pictures):
            if not self._ready():
                return
            try:
                outcomes = self._next(place, job, done)
            except LOST as error:
                self._on_problem(job.token, error)
                continue  # with each picture alone, and not for ever
            place.add_outcomes(done, outcomes)
            done += len(outcomes)
        place.clear(job.pictures)

    def _ready(self) -> bool:
        """Wait for a process that can release; not where the service ends meanwhile.

        What befalls that process before it has pictures is not laid to their charge.
        """
        ready = self._releaser.submit(Ready())
        while not self._ending.is_set():
            if wait([ready], _PATIENCE).done:
                ready.result()
                return True
        return False

    def _next(self, place: JobFolder, job: Job, first: int) -> list[dict[str, Any]]:
        """Release the next pictures, or give up one that was begun often enough."""
        begun = place.begun()
        numbers = _together(first, len(job.pictures), begun)
        pictures = [job.pictures[number] for number in numbers]
        if begun.get(first, 0) >= _TRIES:
            reason = f"given up after {_TRIES} tries: {too_much(self._settings)}"
            return [_failed(picture, reason) for picture in pictures]
        place.put_begun(begun | {number: begun.get(number, 0) + 1 for number in numbers})
        try:
            return self._outcomes(place, job, pictures)
        except LOST:
            raise
        except Exception:  # nothing that a picture did to its process: it does not count
            place.put_begun(begun)
            raise

    def _outcomes(
        self, place: JobFolder, job: Job, pictures: Sequence[Picture]
    ) -> list[dict[str, Any]]:
        """Release some pictures; what became of each, in their order."""
        done: dict[str, Outcome] = {}
        if to_do := [picture for picture in pictures if picture.file is not None]:
            task = Release(
                self._folder,
                place.write_manifest(to_do),
                self._out,
                job.settings,
                self._settings.limits,
                self._settings.c2pa,
            )
            done = {
                outcome.id: outcome
                for outcome in self._releaser.submit(task).result()
                if outcome.id
            }
        return [_told(picture, done.get(picture.id), self._out) for picture in pictures]


def _together(first: int, end: int, begun: Mapping[int, int]) -> list[int]:
    """Numbers of the pictures that come next: several, or one alone that was begun before."""
    following = range(first + 1, min(end, first + _AT_ONCE))
    fresh = itertools.takewhile(lambda number: number not in begun, following)
    return [first] if first in begun else [first, *fresh]


def _told(picture: Picture, outcome: Outcome | None, out: Path) -> dict[str, Any]:
    """An outcome as a client may know it: no place of this machine is in it."""
    if outcome is None:
        return _failed(picture, picture.reason or "it was not released")
    told = outcome.as_dict() | {"source": picture.name}
    if outcome.status == "released":
        told |= {"file": file_address(picture.id)}
    elif outcome.status == "skipped":
        told |= {"file": file_address(picture.id), "reason": "already released"}
    elif outcome.reason is not None:
        told |= {"reason": outcome.reason.replace(f"{shown(out)}{os.sep}", "")}
    return told


def _failed(picture: Picture, reason: str) -> dict[str, Any]:
    failed = {"source": picture.name, "status": "failed", "id": picture.id, "reason": reason}
    return failed | {"seconds": 0.0}


def _failure(error: Exception) -> str:
    """Why a job failed, as a client may know it."""
    if isinstance(error, OSError):
        return f"the service cannot read or write its files: {error.strerror or 'an error'}"
    if isinstance(error, HomingError):
        return "the archive cannot be written to, or nothing be signed; the service's log has more"
    return "internal error; the service's log has more"
