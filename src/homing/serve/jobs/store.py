"""Releases by upload on disk.

An upload is acknowledged once all of it is on disk under a token::

    FOLDER/jobs/TOKEN/job.json      the job; written once the upload is complete
    FOLDER/jobs/TOKEN/0, 1, 2 …     the uploads, until the job is done
    FOLDER/jobs/TOKEN/outcomes-…    outcomes of the first pictures
    FOLDER/jobs/TOKEN/begun.json    attempts at the others, by number
    FOLDER/jobs/TOKEN/webhook.json  state of the delivery of its webhook
    FOLDER/released/TOKEN/          the released files

No client names a file.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from homing.archive.results import Outcome
from homing.errors import ArchiveError, HomingError, UsageError
from homing.files.durable import make_folder, replace_durably, sync_folder, write_durably
from homing.files.regular import read_regular
from homing.files.small_json import build, decode, encode, parse
from homing.images import SUFFIXES
from homing.options import Activation
from homing.serve.token_folders import new_token

_JOB, _MANIFEST, _ATTEMPTS = "job.json", "manifest.jsonl", "begun.json"
_DELIVERY = "webhook.json"
WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
_UPLOAD = re.compile(r"\d+\.\w+")  # names of uploads in a job's folder
_T = TypeVar("_T")


@dataclass(frozen=True)
class JobPicture:
    """One picture of a job."""

    name: str  # under which it was sent
    id: str  # under which it is recorded
    file: str | None = None  # in the job's folder
    reason: str | None = None  # why it cannot be released, if that is known already


@dataclass(frozen=True)
class Webhook:
    """An address that is notified when a job has ended."""

    url: str
    client: str  # id of the key that named it, for the signature


@dataclass(frozen=True)
class Delivery:
    """``webhook.json``: the state of the delivery of a webhook."""

    state: str  # "waiting", "delivered" or "failed"
    job_state: str  # that the message reports
    attempts: int = 0
    reason: str | None = None  # why the last attempt failed

    def __post_init__(self) -> None:
        if self.state not in (WAITING, DELIVERED, FAILED):
            raise ValueError(f"{self.state!r} is no state of a webhook")


@dataclass(frozen=True)
class Job:
    """A release by upload, and its progress.

    Outcomes are in the pictures' order, as ``homing release --json`` prints them, but ``source`` is
    the name that was sent and ``file`` the path of an address.
    """

    token: str
    activation: Activation
    pictures: tuple[JobPicture, ...]
    outcomes: tuple[dict[str, Any], ...]
    failed: str | None = None  # why it stopped; it is tried again when the service starts next
    webhook: Webhook | None = None
    delivery: Delivery | None = None

    @property
    def state(self) -> str:
        """Return "running", "done" or "failed"."""
        if self.failed and not self.pictures:
            return "failed"
        if len(self.outcomes) == len(self.pictures):
            return "done"
        return "failed" if self.failed else "running"

    def as_dict(self) -> dict[str, Any]:
        """Return the answer of ``GET /v1/releases/TOKEN``."""
        return {
            "job": self.token,
            "state": self.state,
            "total": len(self.pictures),
            "done": len(self.outcomes),
            "reason": self.failed,
            "outcomes": list(self.outcomes),
            "webhook": None if self.webhook is None else self._webhook_as_dict(self.webhook),
        }

    def _webhook_as_dict(self, webhook: Webhook) -> dict[str, Any]:
        now = self.delivery or Delivery(WAITING, self.state)
        values = {"state": now.state, "attempts": now.attempts, "reason": now.reason}
        return {"url": webhook.url, **values}


@dataclass(frozen=True)
class _StoredSettings:
    """Options of an upload; written down, so not all of Activation."""

    psnr: float
    method: str
    format: str | None

    def __post_init__(self) -> None:
        Activation(**asdict(self))  # raises where they are out of range


@dataclass(frozen=True)
class _StoredJob:
    """``job.json``."""

    settings: _StoredSettings
    pictures: tuple[JobPicture, ...]
    webhook: Webhook | None = None

    def __post_init__(self) -> None:
        for picture in self.pictures:
            if picture.file is not None and not _UPLOAD.fullmatch(picture.file):
                raise ValueError(f"{picture.file!r} is no upload of it")


@dataclass(frozen=True)
class _StoredOutcomes:
    """``outcomes-….json``."""

    outcomes: tuple[dict[str, Any], ...]

    def __post_init__(self) -> None:
        for outcome in self.outcomes:
            build(Outcome, outcome)  # raises where it is none


@dataclass(frozen=True)
class _StoredAttempts:
    """``begun.json``."""

    attempts: dict[str, int]

    @property
    def by_number(self) -> dict[int, int]:
        return {int(number): count for number, count in self.attempts.items()}

    def __post_init__(self) -> None:
        if not all(number.isascii() and number.isdigit() for number in self.attempts):
            raise ValueError("attempts are counted by the numbers of pictures")


def _upgraded(name: str, data: bytes) -> dict[str, Any]:
    """Read a file's object; earlier ones hold only what it holds under one key."""
    values = parse(data)
    if name.startswith("outcomes-") and isinstance(values, list):
        return {"outcomes": values}
    if name == _ATTEMPTS and isinstance(values, dict) and "attempts" not in values:
        return {"attempts": values}
    return decode(data)


class JobDraft:
    """An upload that is being received; it is a job once it is committed."""

    def __init__(
        self, folder: Path, activation: Activation, webhook: Webhook | None = None
    ) -> None:
        self.token = new_token()
        self._webhook = webhook
        self._activation = activation
        self._final = folder / self.token
        self._folder = folder / f".{self.token}"
        make_folder(folder, mode=0o700)
        self._folder.mkdir(mode=0o700)
        self._pictures: list[JobPicture] = []

    def add(self, picture: JobPicture, data: bytes, kind: str) -> None:
        """Write a picture to disk."""
        file = f"{len(self._pictures)}{SUFFIXES[kind]}"
        write_durably(self._folder / file, data)
        self._pictures.append(replace(picture, file=file))

    def refuse(self, picture: JobPicture, reason: str) -> None:
        """Note that a picture cannot be released."""
        self._pictures.append(replace(picture, reason=reason))

    def commit(self) -> Job:
        """Make a job of it, which is done whatever happens to the process."""
        pictures = tuple(self._pictures)
        job = Job(self.token, self._activation, pictures, (), webhook=self._webhook)
        values: dict[str, Any] = {
            "settings": {
                each.name: getattr(job.activation, each.name) for each in fields(_StoredSettings)
            },
            "pictures": [asdict(picture) for picture in job.pictures],
        }
        if job.webhook is not None:
            values["webhook"] = asdict(job.webhook)
        write_durably(self._folder / _JOB, encode(values))
        sync_folder(self._folder)
        self._folder.rename(self._final)
        sync_folder(self._final.parent)
        return job

    def discard(self) -> None:
        """Remove the upload if it was not committed."""
        shutil.rmtree(self._folder, ignore_errors=True)


class JobFolder:
    """The folder of a committed job."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def exists(self) -> bool:
        """Return whether the job exists."""
        return (self._place / _JOB).exists()

    def job(self, failed: str | None = None) -> Job:
        """Read the job; `failed` is why it stopped. ArchiveError if a file of it is damaged."""
        stored = self._read(_StoredJob, _JOB)
        outcomes: list[dict[str, Any]] = []
        for file in sorted(self._place.glob("outcomes-*.json")):
            outcomes += self._read(_StoredOutcomes, file.name).outcomes
        return Job(
            self._place.name,
            Activation(**asdict(stored.settings)),
            stored.pictures,
            tuple(outcomes),
            failed,
            stored.webhook,
            self._read_delivery(),
        )

    def damage(self) -> str | None:
        """Return what is wrong with the job's files; None if they are whole."""
        try:
            self.job()
            self.read_attempts()
        except (HomingError, OSError) as error:
            return str(error)
        return None

    def write_manifest(self, pictures: Sequence[JobPicture]) -> Path:
        """List some pictures' files, relative to the folder of all jobs."""
        token = self._place.name
        lines = [{"path": f"{token}/{picture.file}", "id": picture.id} for picture in pictures]
        path = self._place / _MANIFEST
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    def add_outcomes(self, first: int, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Write the outcomes of consecutive pictures; `first` is the number of the first."""
        # Six digits put the files in the order of the pictures.
        file = self._place / f"outcomes-{first:06}.json"
        replace_durably(file, encode({"outcomes": [dict(outcome) for outcome in outcomes]}))

    def read_attempts(self) -> dict[int, int]:
        """Return the attempts at each picture without an outcome, by number."""
        try:
            return self._read(_StoredAttempts, _ATTEMPTS).by_number
        except FileNotFoundError:
            return {}

    def write_attempts(self, attempts: Mapping[int, int]) -> None:
        """Write the attempts durably."""
        counts = {str(number): count for number, count in attempts.items()}
        replace_durably(self._place / _ATTEMPTS, encode({"attempts": counts}))

    def write_delivery(self, delivery: Delivery) -> None:
        """Write the state of the delivery, durably."""
        replace_durably(self._place / _DELIVERY, encode(asdict(delivery)))

    def _read_delivery(self) -> Delivery | None:
        try:
            return self._read(Delivery, _DELIVERY)
        except FileNotFoundError:
            return None

    def _read(self, kind: type[_T], name: str) -> _T:
        file = self._place / name
        try:
            return build(kind, _upgraded(name, read_regular(file)))
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise ArchiveError(f"{file} is damaged: {error}") from error

    def clear(self, pictures: Sequence[JobPicture]) -> None:
        """Remove files that a finished job no longer needs."""
        for picture in pictures:
            if picture.file is not None:
                (self._place / picture.file).unlink(missing_ok=True)
        (self._place / _ATTEMPTS).unlink(missing_ok=True)


def refuse_duplicate_ids(pictures: Sequence[JobPicture]) -> None:
    """Raise `UsageError` if two pictures have the same id."""
    seen: set[str] = set()
    for picture in pictures:
        if picture.id in seen:
            raise UsageError(
                f"two pictures would be recorded as {picture.id!r}; send them under different "
                "names, or separately with another prefix"
            )
        seen.add(picture.id)
