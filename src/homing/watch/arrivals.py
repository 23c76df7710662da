"""Files that arrive in a folder, and when they are complete.

No file system says that a writer is done. A file counts as complete when its size and its time have
not changed for a while, by the clock of this process: times of files are often those of the camera,
and the clocks of file servers differ.
"""

import json
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homing.errors import UsageError
from homing.files.regular import read_regular

_log = logging.getLogger(__name__)

#: Ends of names that rsync, FTP clients, browsers and editors give to files they are writing.
UNFINISHED = (
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".download",
    ".opdownload",
    ".upload",
    ".uploading",
    ".incomplete",
    ".aria2",
    ".tmp",
    ".temp",
    ".swp",
    "~",
)
SIDECAR = ".json"
"""``a.jpg.json`` has the id and the metadata of ``a.jpg``."""

_COMPANIONS = (SIDECAR, ".xmp")  # left alone without their picture
_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}
_SYSTEM_FOLDERS = {"@eadir", "#recycle", "$recycle.bin", "lost+found", "__macosx"}
_MOST = 1 << 20  # bytes of a sidecar
_EMPTY = 60.0  # seconds that a file may stay empty: some servers make it before they fill it


@dataclass(frozen=True)
class Stamp:
    """The marks of a file that change while it is written."""

    size: int  # bytes
    modified: int  # ns
    changed: int  # ns: a file put in its place has another, whatever time it was given

    @classmethod
    def of(cls, file: os.DirEntry[str] | Path) -> "Stamp | None":
        """Return the stamp of a regular file; None if it is none, or gone."""
        try:
            found = file.stat(follow_symlinks=False)
        except OSError:
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@dataclass(frozen=True)
class Arrival:
    """A complete file."""

    path: Path
    relative: Path  # to the folder
    stamp: Stamp
    sidecar: Path | None = None

    def changed(self) -> bool:
        """Return whether the file is no longer the one that had settled."""
        return Stamp.of(self.path) != self.stamp

    def line(self) -> dict[str, Any]:
        """Return its line of a manifest; UsageError if its sidecar cannot be understood."""
        values: Any = {}
        if self.sidecar is not None:
            stamp = Stamp.of(self.sidecar)
            if stamp is None or stamp.size > _MOST:
                raise UsageError(
                    f"{self.sidecar.name!r} is no regular file of {_MOST:,} bytes at most"
                )
            try:
                values = json.loads(read_regular(self.sidecar))
            except (OSError, ValueError, RecursionError) as error:
                raise UsageError(f"{self.sidecar.name!r} is not JSON: {error}") from error
            if not isinstance(values, dict):
                raise UsageError(f"{self.sidecar.name!r} is no JSON object")
        return {**values, "path": self.relative.as_posix()}


class Arrivals:
    """The files of a folder and those below it, watched by looking again and again.

    Hidden and temporary names, links, and companions without a picture are passed over.
    """

    def __init__(self, folder: Path, settle: float) -> None:
        self.folder = folder
        self._settle = settle
        self._since: dict[Path, tuple[Stamp, float]] = {}
        self._lost = False

    def settled(self, now: float) -> list[Arrival]:
        """Look at the folder; return the files that have settled, in the order of their names.

        A folder that cannot be read, of a share that is away, has none for the time being.
        """
        try:
            present = {each.relative: each for each in self._look()}
        except OSError as error:
            if not self._lost:
                _log.warning("%s cannot be read: %s; waiting for it", self.folder, error)
            self._lost = True
            return []
        self._lost = False
        before, self._since = self._since, {}
        for relative, each in present.items():
            stamp, since = before.get(relative, (None, now))
            self._since[relative] = (each.stamp, since if stamp == each.stamp else now)
        return [
            each
            for relative, each in sorted(present.items(), key=lambda item: os.fsencode(item[0]))
            if not relative.name.endswith(_COMPANIONS)
            and self._is_settled(relative, now)
            and (each.sidecar is None or self._is_usable(each.sidecar, _beside(relative), now))
        ]

    def _is_usable(self, sidecar: Path, relative: Path, now: float) -> bool:
        """Return whether a sidecar is complete, or never will be: a link, for one."""
        if relative in self._since:
            return self._is_settled(relative, now)
        # Otherwise it is gone, or passed over: it is being written anew.
        return os.path.lexists(sidecar) and Stamp.of(sidecar) is None

    def _is_settled(self, relative: Path, now: float) -> bool:
        stamp, since = self._since[relative]
        return now - since >= (self._settle if stamp.size else max(self._settle, _EMPTY))

    def _look(self) -> Iterator[Arrival]:
        waiting = [self.folder]
        while waiting:
            place = waiting.pop()
            try:
                entries = list(os.scandir(place))
            except OSError:
                if place == self.folder:
                    raise
                continue  # gone, or another user's
            names = {entry.name for entry in entries}
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if entry.name.lower() not in _SYSTEM_FOLDERS:
                        waiting.append(place / entry.name)
                elif not _is_passed_over(entry.name, names) and (stamp := Stamp.of(entry)):
                    path = place / entry.name
                    sidecar = _beside(path) if entry.name + SIDECAR in names else None
                    yield Arrival(path, path.relative_to(self.folder), stamp, sidecar)


def _beside(file: Path) -> Path:
    return file.with_name(file.name + SIDECAR)


def _is_passed_over(name: str, names: set[str]) -> bool:
    """Return whether a file is not to be taken yet, or never: by its name and those beside it.

    Firefox, for one, makes an empty ``a.jpg`` beside the ``a.jpg.part`` that it fills.
    """
    return (
        name.lower().endswith(UNFINISHED)
        or name.lower() in _SYSTEM_FILES
        or name.startswith("~$")
        or any(name + end in names for end in UNFINISHED)
    )
