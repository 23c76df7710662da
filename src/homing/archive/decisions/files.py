"""Files of decisions.

::

    ARCHIVE/decisions/NUMBER-DIGEST.json    a decision, with the query's descriptor and preview
    ARCHIVE/decisions/NUMBER.undone         a decision that was undone: by whom, and when

DIGEST is the start of the SHA-256 of the file's bytes. A file appears whole and never changes, and
no number is given twice.
"""

import re
import secrets
import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from homing.archive.decisions.kept import digest_of
from homing.archive.table.location import Location, read_whole, write_whole
from homing.files.durable import make_folder, remove_parts
from homing.files.locks import hold_lock

_FOLDER, _UNDONE = "decisions", ".undone"
_NAME = re.compile(r"\d{8,}(-[0-9a-f]{32}\.json|\.undone)")
_LOOK = 3.0  # seconds for which the names in an object store are not read again
_TICK = 2_000_000_000  # nanoseconds within which a change of a folder may not show in its time
_REQUESTS = 16  # to a store at the same time


@dataclass(frozen=True)
class DecisionFiles:
    """The folder of an archive's decisions; it is made with the first one."""

    folder: Location

    @classmethod
    def of(cls, archive: Location) -> "DecisionFiles":
        """Return the files of an archive."""
        return cls(archive / _FOLDER)

    def stamp(self) -> int | None:
        """Return what changes when the names may have changed; None if that is not known yet."""
        if not isinstance(self.folder, Path):
            return int(time.monotonic() / _LOOK)
        try:
            changed = self.folder.stat().st_mtime_ns
        except OSError:
            return 0
        return changed if time.time_ns() - changed > _TICK else None

    def standing(self) -> set[str]:
        """Return the names of the decisions that are not undone."""
        names = self._names()
        undone = {number_of(name) for name in names if name.endswith(_UNDONE)}
        return {name for name in names if number_of(name) not in undone}

    def undone(self) -> set[str]:
        """Return the names of the marks of decisions that are undone."""
        return {name for name in self._names() if name.endswith(_UNDONE)}

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes | None]]:
        """Read files; None where one is gone, since it was undone meanwhile."""
        if isinstance(self.folder, Path) or len(names) < 2:
            yield from map(self._read, names)
            return
        with ThreadPoolExecutor(_REQUESTS) as pool:
            yield from pool.map(self._read, names)

    def write(self, data: bytes) -> str:
        """Write a decision durably under a new number; return the name of its file.

        Of two that write the same number to an object store, which has no locks, the later one sees
        both names, since it lists them after it has written. It takes another number, and so does
        the other if it sees both too.
        """
        with self._alone():
            while True:
                number = 1 + max(map(number_of, self._names()), default=0)
                file = f"{number:08}-{digest_of(data)}.json"
                self._put(file, data)
                if {name for name in self._names() if number_of(name) == number} <= {file}:
                    return file
                self.remove(file)
                time.sleep(secrets.randbelow(1000) / 1000)

    def undo(self, number: int, data: bytes, files: Iterable[str]) -> None:
        """Remove the files of a decision, whose number stays taken."""
        self._put(f"{number:08}{_UNDONE}", data)  # first: from now on it is undone
        for file in files:
            self.remove(file)

    def remove(self, name: str) -> None:
        """Remove a file; another process may have done so."""
        place = self.folder / name
        if isinstance(place, Path):
            place.unlink(missing_ok=True)
        else:
            place.delete()

    def remove_parts(self, seconds: float) -> None:
        """Remove partial files that are older, of processes that were killed while writing."""
        if isinstance(self.folder, Path):
            remove_parts(self.folder, seconds)

    def _names(self) -> list[str]:
        if not isinstance(self.folder, Path):
            names = self.folder.names()
        else:
            try:
                names = [file.name for file in self.folder.iterdir()]
            except OSError:  # there is none before the first decision
                return []
        return [name for name in names if _NAME.fullmatch(name)]

    def _read(self, name: str) -> tuple[str, bytes | None]:
        try:
            return name, read_whole(self.folder / name)
        except FileNotFoundError:
            return name, None

    def _put(self, name: str, data: bytes) -> None:
        write_whole(self.folder / name, data)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other writers on this file system out."""
        if not isinstance(self.folder, Path):
            yield
            return
        make_folder(self.folder)
        with hold_lock(self.folder / ".lock"):
            yield


def number_of(name: str) -> int:
    """Return the number of a decision from the name of its file."""
    return int(re.split(r"[-.]", name)[0])
