"""Releases by upload, as jobs that outlive the process.

An upload is acknowledged once all of it is on disk under a token; it is then released a few
pictures at a time by one thread. What a process that died has left is taken up by the next one::

    FOLDER/jobs/TOKEN/job.json      what is to be done; there once the upload is complete
    FOLDER/jobs/TOKEN/0, 1, 2 …     the uploads, until the job is done
    FOLDER/jobs/TOKEN/outcomes-…    what became of some of them
    FOLDER/released/TOKEN/          the released files

No name that a client gives is one of a file.
"""

import json
import queue
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from homing.archive import Archive
from homing.errors import HomingError, UsageError
from homing.files import replace_durably, sync_folder, write_durably
from homing.images import SUFFIXES, Limits

__all__ = ["Draft", "Job", "Jobs", "Picture", "ReleaseSettings", "refuse_doubles"]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
_JOB = "job.json"
_AT_ONCE = 8  # pictures between two looks at whether to stop: two batches of the activation
_MOST_WAITING = 100  # jobs


@dataclass(frozen=True)
class ReleaseSettings:
    """How pictures are released; as for :meth:`homing.Archive.release`."""

    psnr: float
    method: str
    format: str | None = None


@dataclass(frozen=True)
class Picture:
    """One picture of a job.

    Attributes
    ----------
    name : str
        Under which it was sent.
    id : str
        Under which it is recorded.
    file : str or None
        Where its bytes are in the job's folder.
    reason : str or None
        Why it cannot be released, if that is known already.
    """

    name: str
    id: str
    file: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Job:
    """A release by upload, and how far it has come.

    Attributes
    ----------
    token : str
    settings : ReleaseSettings
    pictures : tuple of Picture
    outcomes : tuple of dict
        As ``homing release --json`` prints them, but that ``source`` is the name that was sent
        and ``file`` the path of a URL; in the order of the pictures.
    failed : str or None
        Why it cannot go on; it is tried again when the service starts next.
    """

    token: str
    settings: ReleaseSettings
    pictures: tuple[Picture, ...]
    outcomes: tuple[dict[str, Any], ...]
    failed: str | None = None

    @property
    def state(self) -> str:
        """Return "running", "done" or "failed"."""
        if len(self.outcomes) == len(self.pictures):
            return "done"
        return "failed" if self.failed else "running"

    def as_dict(self) -> dict[str, Any]:
        """Return what ``GET /releases/TOKEN`` answers."""
        return {
            "job": self.token,
            "state": self.state,
            "total": len(self.pictures),
            "done": len(self.outcomes),
            "reason": self.failed,
            "outcomes": list(self.outcomes),
        }


class Draft:
    """An upload that is being received; what is not committed is thrown away."""

    def __init__(self, folder: Path, settings: ReleaseSettings) -> None:
        self.token = secrets.token_urlsafe(16)
        self._settings = settings
        self._final = folder / self.token
        self._folder = folder / f".{self.token}"
        self._folder.mkdir(parents=True, mode=0o700)
        self._pictures: list[Picture] = []

    def add(self, picture: Picture, data: bytes, kind: str) -> None:
        """Put a picture on disk."""
        file = f"{len(self._pictures)}{SUFFIXES[kind]}"
        write_durably(self._folder / file, data)
        self._pictures.append(replace(picture, file=file))

    def refuse(self, picture: Picture, reason: str) -> None:
        """Note that a picture cannot be released."""
        self._pictures.append(replace(picture, reason=reason))

    def commit(self) -> Job:
        """Make a job of it: from now on it is done, whatever happens to the process."""
        job = Job(self.token, self._settings, tuple(self._pictures), ())
        values = {
            "settings": asdict(job.settings),
            "pictures": [asdict(picture) for picture in job.pictures],
        }
        write_durably(self._folder / _JOB, json.dumps(values).encode())
        sync_folder(self._folder)
        self._folder.rename(self._final)
        sync_folder(self._final.parent)
        return job

    def discard(self) -> None:
        """Throw away what was not committed."""
        shutil.rmtree(self._folder, ignore_errors=True)


class Jobs(AbstractContextManager["Jobs"]):
    """The jobs of a service, done one after the other while the context lasts.

    Parameters
    ----------
    folder : Path
        The service's own.
    opened : callable
        Opens the archive, for the thread that releases.
    limits : Limits
        Bounds on decoding.
    on_problem : callable
        Told of a job that failed, and why.
    """

    def __init__(
        self,
        folder: Path,
        opened: Callable[[], Archive],
        limits: Limits,
        on_problem: Callable[[str, Exception], None],
    ) -> None:
        self._folder = folder / "jobs"
        self._out = folder / "released"
        self._opened = opened
        self._limits = limits
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
            elif _TOKEN.fullmatch(place.name) and self._read(place.name).state != "done":
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

    def draft(self, settings: ReleaseSettings) -> Draft:
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
        if not _TOKEN.fullmatch(token) or not (self._folder / token / _JOB).exists():
            return None
        return self._read(token)

    def _read(self, token: str) -> Job:
        place = self._folder / token
        values = json.loads((place / _JOB).read_bytes())
        outcomes: list[dict[str, Any]] = []
        for file in sorted(place.glob("outcomes-*.json")):
            outcomes += json.loads(file.read_bytes())
        return Job(
            token,
            ReleaseSettings(**values["settings"]),
            tuple(Picture(**picture) for picture in values["pictures"]),
            tuple(outcomes),
            self._failed.get(token),
        )

    def _work(self) -> None:
        archive = None
        while (token := self._queue.get()) is not None and not self._ending.is_set():
            try:
                archive = archive or self._opened()
                self._do(archive, token)
            except Exception as error:  # noqa: BLE001 - of one job; told, and the next one done
                told = isinstance(error, HomingError | OSError)
                self._failed[token] = str(error) if told else "internal error"
                self._on_problem(token, error)

    def _do(self, archive: Archive, token: str) -> None:
        """Go on with a job, until it is done or the service ends."""
        job = self._read(token)
        place = self._folder / token
        for chunk, first in self._chunks(job):
            if self._ending.is_set():
                return
            outcomes = self._outcomes(archive, job, chunk)
            # Six digits put the files in the order of the pictures.
            replace_durably(place / f"outcomes-{first:06}.json", json.dumps(outcomes).encode())
        for picture in job.pictures:
            if picture.file is not None:
                (place / picture.file).unlink(missing_ok=True)

    def _chunks(self, job: Job) -> Iterator[tuple[Sequence[Picture], int]]:
        """What is left of a job, a few pictures at a time, with the number of the first."""
        for first in range(len(job.outcomes), len(job.pictures), _AT_ONCE):
            yield job.pictures[first : first + _AT_ONCE], first

    def _outcomes(
        self, archive: Archive, job: Job, chunk: Sequence[Picture]
    ) -> list[dict[str, Any]]:
        """Release some pictures; what became of each, in their order."""
        done: dict[str, dict[str, Any]] = {}
        if to_do := [picture for picture in chunk if picture.file is not None]:
            settings = job.settings
            report = archive.release(
                self._folder,
                manifest=self._manifest(job.token, to_do),
                out=self._out,
                psnr=settings.psnr,
                method=settings.method,
                format=settings.format,
                limits=self._limits,
            )
            done = {outcome.id: outcome.as_dict() for outcome in report if outcome.id is not None}
        return [_told(picture, done.get(picture.id)) for picture in chunk]

    def _manifest(self, token: str, pictures: Sequence[Picture]) -> Path:
        """Write the list of some pictures: their files, relative to the folder of all jobs."""
        lines = [{"path": f"{token}/{picture.file}", "id": picture.id} for picture in pictures]
        path = self._folder / token / "manifest.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path


def _told(picture: Picture, outcome: dict[str, Any] | None) -> dict[str, Any]:
    """An outcome as a client may know it: no place of this machine is in it."""
    if outcome is None:
        reason = picture.reason or "it was not released"
        failed = {"source": picture.name, "status": "failed", "id": picture.id, "reason": reason}
        return failed | {"seconds": 0.0}
    told = outcome | {"source": picture.name}
    if outcome["status"] == "released":
        told |= {"file": f"/files/{picture.id}"}
    elif outcome["status"] == "skipped":
        told |= {"file": f"/files/{picture.id}", "reason": "already released"}
    return told


def refuse_doubles(pictures: Sequence[Picture]) -> None:
    """Refuse several pictures of one id."""
    seen: set[str] = set()
    for picture in pictures:
        if picture.id in seen:
            raise UsageError(
                f"two pictures would be recorded as {picture.id!r}; send them under different "
                "names, or apart with another prefix"
            )
        seen.add(picture.id)
