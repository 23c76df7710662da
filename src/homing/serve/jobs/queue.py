"""Queue of releases by upload, done one after the other; they outlive the process.

A job is released a few pictures at a time. The next process goes on where a dead one stopped. A
picture over which a process dies again and again is given up: each picture's attempts are counted
on disk before they begin. After the first, made together with others, each is attempted alone.
"""

import itertools
import queue
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import wait
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from homing.archive.results import Outcome
from homing.errors import ArchiveError, HomingError
from homing.files.durable import make_folder
from homing.options import Activation
from homing.serve.http.names import file_address
from homing.serve.http.places import PrivatePlaces
from homing.serve.jobs.store import Job, JobDraft, JobFolder, JobPicture, Webhook
from homing.serve.settings import Settings
from homing.serve.tasks.processes import LOST, do_nothing
from homing.serve.tasks.release import Releaser, release_pictures, release_refusal
from homing.serve.token_folders import is_token

_AT_ONCE = 8  # pictures between two checks for the end: two batches of the activation
_MOST_WAITING = 100  # jobs
_ATTEMPTS = 2  # at a picture
_POLL = 0.2  # seconds between two checks for the end, while a process is started


class JobQueue(AbstractContextManager["JobQueue"]):
    """The jobs of a service, done while the context lasts.

    One thread calls `releaser`. `on_problem` is called with the token of a job that failed, or that
    lost an attempt, and the error; `on_end` with that of a job that is done or failed, also if it
    was done before the start and has a webhook.
    """

    def __init__(
        self,
        settings: Settings,
        releaser: Releaser,
        on_problem: Callable[[str, Exception], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._folder = settings.folder / "jobs"
        self._out = settings.folder / "released"
        self._releaser = releaser
        self._on_problem = on_problem
        self._on_end = on_end
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._failed: dict[str, str] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="homing-release")

    def __enter__(self) -> "JobQueue":
        """Queue the unfinished jobs, and begin."""
        make_folder(self._folder, mode=0o700)
        for place in sorted(self._folder.iterdir()):
            if place.name.startswith("."):  # never acknowledged
                shutil.rmtree(place, ignore_errors=True)
            elif is_token(place.name):
                self._resume(place.name)
        self._thread.start()
        return self

    def _resume(self, token: str) -> None:
        """Queue a job unless it is done; one whose files are damaged costs itself alone."""
        try:
            job = JobFolder(self._folder / token).job()
            if job.state != "done":
                self._queue.put(token)
            elif job.webhook is not None:  # which may not know yet
                self._on_end(token)
        except (HomingError, OSError) as error:
            self._failed[token] = _public_reason(error)
            self._on_problem(token, error)

    def __exit__(self, *error: object) -> None:
        """Finish the current pictures; the rest is done when the service starts next."""
        self._ending.set()
        self._queue.put(None)
        self._thread.join()

    def __len__(self) -> int:
        return self._queue.qsize()

    def draft(self, activation: Activation, webhook: Webhook | None = None) -> JobDraft:
        """Begin to receive an upload; `BlockingIOError` if too many jobs wait already."""
        if len(self) >= _MOST_WAITING:
            raise BlockingIOError(f"{len(self)} releases wait already; come again later")
        return JobDraft(self._folder, activation, webhook)

    def put(self, job: Job) -> None:
        """Queue a job."""
        self._queue.put(job.token)

    def get(self, token: str) -> Job | None:
        """Return the job of a token; None if it does not exist."""
        if not is_token(token):
            return None
        place = JobFolder(self._folder / token)
        if not place.exists():
            return None
        try:
            return place.job(self._failed.get(token))
        except ArchiveError:
            return Job(token, Activation(), (), (), "its files on the service's disk are damaged")

    def _work(self) -> None:
        while (token := self._queue.get()) is not None and not self._ending.is_set():
            try:
                if self._do(JobFolder(self._folder / token)):
                    self._on_end(token)
            except Exception as error:  # noqa: BLE001 - of one job: reported, and the next one done
                self._failed[token] = _public_reason(error)
                self._on_problem(token, error)
                self._on_end(token)

    def _do(self, place: JobFolder) -> bool:
        """Continue a job, until it is done or the service ends; return whether it is done."""
        job = place.job()
        done = len(job.outcomes)
        while done < len(job.pictures):
            if not self._start_process():
                return False
            try:
                outcomes = self._release_next(place, job, done)
            except LOST as error:
                self._on_problem(job.token, error)
                continue  # with each picture alone, and not for ever
            place.add_outcomes(done, outcomes)
            done += len(outcomes)
        place.clear(job.pictures)
        return True

    def _start_process(self) -> bool:
        """Wait for a process that can release; return False where the service ends meanwhile.

        So a process lost before it has pictures is not counted against them.
        """
        ready = self._releaser.submit(do_nothing)
        while not self._ending.is_set():
            if wait([ready], _POLL).done:
                ready.result()
                return True
        return False

    def _release_next(self, place: JobFolder, job: Job, first: int) -> list[dict[str, Any]]:
        """Release the next pictures, or give up one that was attempted often enough."""
        attempts = place.read_attempts()
        numbers = _next_numbers(first, len(job.pictures), attempts)
        pictures = [job.pictures[number] for number in numbers]
        if attempts.get(first, 0) >= _ATTEMPTS:
            reason = f"given up after {_ATTEMPTS} tries: {release_refusal(self._settings)}"
            return [_failed_outcome(picture, reason) for picture in pictures]
        counted = {number: attempts.get(number, 0) + 1 for number in numbers}
        place.write_attempts(attempts | counted)
        try:
            return self._release(place, job, pictures)
        except LOST:
            raise
        except Exception:  # no picture's fault: the attempt does not count
            place.write_attempts(attempts)
            raise

    def _release(
        self, place: JobFolder, job: Job, pictures: Sequence[JobPicture]
    ) -> list[dict[str, Any]]:
        """Release some pictures; return their outcomes in order."""
        outcomes: dict[str, Outcome] = {}
        if readable := [picture for picture in pictures if picture.file is not None]:
            task = partial(
                release_pictures,
                self._folder,
                place.write_manifest(readable),
                self._out,
                job.activation,
                self._settings.limits,
                self._settings.c2pa,
            )
            done = self._releaser.submit(task).result()
            outcomes = {outcome.id: outcome for outcome in done if outcome.id}
        places = self._settings.places
        return [_public_outcome(each, outcomes.get(each.id), places) for each in pictures]


def _next_numbers(first: int, end: int, attempts: Mapping[int, int]) -> list[int]:
    """Return the next pictures' numbers: several, or one alone that was attempted before."""
    following = range(first + 1, min(end, first + _AT_ONCE))
    fresh = itertools.takewhile(lambda number: number not in attempts, following)
    return [first] if first in attempts else [first, *fresh]


def _public_outcome(
    picture: JobPicture, outcome: Outcome | None, places: PrivatePlaces
) -> dict[str, Any]:
    """Return an outcome for clients, without paths of this machine."""
    if outcome is None:
        return _failed_outcome(picture, picture.reason or "it was not released")
    values = outcome.as_dict() | {"source": picture.name}
    if outcome.status == "released":
        values |= {"file": file_address(picture.id)}
    elif outcome.status == "skipped":
        values |= {"file": file_address(picture.id), "reason": "already released"}
    elif outcome.reason is not None:
        values |= {"reason": places.left_out(outcome.reason)}
    return values


def _failed_outcome(picture: JobPicture, reason: str) -> dict[str, Any]:
    failed = {"source": picture.name, "status": "failed", "id": picture.id, "reason": reason}
    return failed | {"seconds": 0.0}


def _public_reason(error: Exception) -> str:
    """Return why a job failed, for clients."""
    if isinstance(error, OSError):
        return f"the service cannot read or write its files: {error.strerror or 'an error'}"
    if isinstance(error, HomingError):
        return "writing to the archive or signing failed; the service's log has more"
    return "internal error; the service's log has more"
