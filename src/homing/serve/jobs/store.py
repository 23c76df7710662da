"""Releases by upload, as they lie on disk.

An upload is acknowledged once all of it is on disk under a token::

    FOLDER/jobs/TOKEN/job.json      what is to be done; there once the upload is complete
    FOLDER/jobs/TOKEN/0, 1, 2 …     the uploads, until the job is done
    FOLDER/jobs/TOKEN/outcomes-…    what became of some of them
    FOLDER/jobs/TOKEN/begun.json    how often the others have been begun
    FOLDER/released/TOKEN/          the released files

No name that a client gives is one of a file.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from homing.errors import UsageError
from homing.files.durable import replace_durably, sync_folder, write_durably
from homing.images import SUFFIXES
from homing.options import Activation
from homing.serve.access.tokens import new_token

_JOB, _MANIFEST, _BEGUN = "job.json", "manifest.jsonl", "begun.json"


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
    settings : Activation
    pictures : tuple of Picture
    outcomes : tuple of dict
        As ``homing release --json`` prints them, but that ``source`` is the name that was sent
        and ``file`` the path of a URL; in the order of the pictures.
    failed : str or None
        Why it cannot go on; it is tried again when the service starts next.
    """

    token: str
    settings: Activation
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

    def __init__(self, folder: Path, settings: Activation) -> None:
        self.token = new_token()
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


class JobFolder:
    """The folder of a job that was committed."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def exists(self) -> bool:
        """Whether there is such a job."""
        return (self._place / _JOB).exists()

    def job(self, failed: str | None = None) -> Job:
        """Read it; `failed` is why it cannot go on, if that is so."""
        values = json.loads((self._place / _JOB).read_bytes())
        outcomes: list[dict[str, Any]] = []
        for file in sorted(self._place.glob("outcomes-*.json")):
            outcomes += json.loads(file.read_bytes())
        return Job(
            self._place.name,
            Activation(**values["settings"]),
            tuple(Picture(**picture) for picture in values["pictures"]),
            tuple(outcomes),
            failed,
        )

    def write_manifest(self, pictures: Sequence[Picture]) -> Path:
        """Write the list of some pictures: their files, relative to the folder of all jobs."""
        token = self._place.name
        lines = [{"path": f"{token}/{picture.file}", "id": picture.id} for picture in pictures]
        path = self._place / _MANIFEST
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    def add_outcomes(self, first: int, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Note what became of some pictures, of which `first` is the number of the first."""
        # Six digits put the files in the order of the pictures.
        file = self._place / f"outcomes-{first:06}.json"
        replace_durably(file, json.dumps(list(outcomes)).encode())

    def begun(self) -> dict[int, int]:
        """How often each picture was begun whose outcome is not known; by number."""
        try:
            values = json.loads((self._place / _BEGUN).read_bytes())
        except FileNotFoundError:
            return {}
        return {int(number): count for number, count in values.items()}

    def put_begun(self, begun: Mapping[int, int]) -> None:
        """Note it; the disk has it when this returns."""
        replace_durably(self._place / _BEGUN, json.dumps(begun).encode())

    def clear(self, pictures: Sequence[Picture]) -> None:
        """Remove what a job that is done needs no longer."""
        for picture in pictures:
            if picture.file is not None:
                (self._place / picture.file).unlink(missing_ok=True)
        (self._place / _BEGUN).unlink(missing_ok=True)


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
