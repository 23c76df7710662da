"""Folders that a run works in, and that later runs find once it has died.

Each has a file `lock`, whose lock the run holds while it lives. A folder whose lock is free, or
that has none yet, was left by a run that died.
"""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from homing.errors import ArchiveError
from homing.files.locks import try_lock

_LOCK = "lock"
_ATTEMPTS = 10


@dataclass(frozen=True)
class HeldFolder:
    """A folder whose lock this process holds."""

    path: Path
    lock: IO[bytes]  # open

    def close(self) -> None:
        """Release the lock; the folder, unless removed, is left to the next run."""
        self.lock.close()

    def remove(self) -> None:
        """Remove the folder while its lock is held, so that no other process takes it over.

        Another process may still make a new lock file between the removal of this one and that of
        the folder. The folder then stays, for that process to remove.
        """
        shutil.rmtree(self.path, ignore_errors=True)
        self.lock.close()
        if sys.platform == "win32":  # an open file cannot be removed there
            shutil.rmtree(self.path, ignore_errors=True)


def new_folder(parent: Path, prefix: str) -> HeldFolder:
    """Make a folder with a new name, and take its lock; `ArchiveError` if locks do not work.

    Another process that cleans up may come between the two and take the folder for abandoned. It
    then removes that folder, and this process makes another.
    """
    for _ in range(_ATTEMPTS):
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = _lock_in(path)
        if lock is not None:
            return HeldFolder(path, lock)
    raise ArchiveError(
        f"no file can be locked in {str(parent)!r}; if it is on a share without locks, use another "
        "folder"
    )


def abandoned_folders(parent: Path, prefix: str, holds: re.Pattern[str]) -> Iterator[HeldFolder]:
    """Take and yield the folders with a prefix whose runs have died.

    `holds` matches all names that such a folder may contain, folders' names with a slash at the
    end. A folder that contains another name belongs to the user, as does a link. A folder that
    cannot be opened, mostly another user's, is skipped.
    """
    for path in sorted(parent.glob(prefix + "*")):
        if path.is_symlink() or not all(map(holds.fullmatch, _names_in(path))):
            continue
        lock = _lock_in(path)
        if lock is not None:
            yield HeldFolder(path, lock)


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name + _suffix(entry) for entry in entries]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []  # its lock cannot be opened either


def _suffix(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "@"
    return "/" if entry.is_dir(follow_symlinks=False) else ""


def _lock_in(folder: Path) -> IO[bytes] | None:
    """Take a folder's lock; None if another process or user holds it, or the folder is gone."""
    try:
        file = (folder / _LOCK).open("a+b")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    if try_lock(file) and _is_still(file, folder / _LOCK):
        return file
    file.close()
    return None


def _is_still(file: IO[bytes], path: Path) -> bool:
    """Return whether an open file is still the one at that path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
