"""Folders that a run works in, and that are found again once it has died.

A folder of this kind has a file `lock`, and whoever lives holds the lock of it. A folder whose lock
is free, or that has none yet, was left by a run that died.
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
    """A folder whose lock this process holds.

    Attributes
    ----------
    path : Path
    lock : file
        Open; nobody else has its lock.
    """

    path: Path
    lock: IO[bytes]

    def close(self) -> None:
        """Give up the lock; the folder, if it has not been removed, is left to whoever finds it."""
        self.lock.close()

    def remove(self) -> None:
        """Remove the folder while its lock is held, so that nobody takes it over meanwhile.

        Somebody may still make a lock file of his own between the removal of ours and that of the
        folder, which then stays: it is his, and his to remove.
        """
        shutil.rmtree(self.path, ignore_errors=True)
        self.lock.close()
        if sys.platform == "win32":  # an open file cannot be removed there
            shutil.rmtree(self.path, ignore_errors=True)


def new_folder(parent: Path, prefix: str) -> HeldFolder:
    """Make a folder of a name that nothing has, and take its lock.

    Another process that tidies up may come between the two and take the folder for abandoned; then
    it is that process's to remove, and we make another.

    Raises
    ------
    ArchiveError
        No lock can be had.
    OSError
        Nothing can be written to `parent`.
    """
    for _ in range(_ATTEMPTS):
        path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = _lock_in(path)
        if lock is not None:
            return HeldFolder(path, lock)
    raise ArchiveError(f"no lock can be had in {str(parent)!r}; is it on a share without locks?")


def abandoned(parent: Path, prefix: str, holds: re.Pattern[str]) -> Iterator[HeldFolder]:
    """Folders of a prefix whose runs have died, now held by us.

    A folder that happens to have such a name but holds what does not match `holds` (names; of
    folders with a slash at the end) is somebody's own, as are links. What cannot be opened, as
    other users' folders mostly, is passed over.
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
            return [entry.name + _mark(entry) for entry in entries]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []  # there is no lock to be had in it either


def _mark(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "@"
    return "/" if entry.is_dir(follow_symlinks=False) else ""


def _lock_in(folder: Path) -> IO[bytes] | None:
    """Take a folder's lock; None if another process or user has it, or has removed the folder."""
    try:
        file = (folder / _LOCK).open("a+b")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    if try_lock(file) and _is_still(file, folder / _LOCK):
        return file
    file.close()
    return None


def _is_still(file: IO[bytes], path: Path) -> bool:
    """Whether an open file is the one of that name, not one removed since."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
