"""A disk that forgets at a power cut what was not synced."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

_Key = tuple[int, int]


class ForgetfulDisk:
    """Records each sync of this process, and says what a power cut would leave.

    `on_sync`, if set, is called with each path, before it is synced.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._files: dict[_Key, tuple[int, int]] = {}  # bytes and time of change when synced
        self._folders: dict[_Key, dict[str, int]] = {}  # names and inodes when synced
        self.on_sync: Callable[[Path], None] | None = None
        self._sync = os.fsync
        monkeypatch.setattr(os, "fsync", self._record)

    def _record(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if self.on_sync is not None:
            self.on_sync(path)
        status = os.fstat(descriptor)
        key = (status.st_dev, status.st_ino)
        if path.is_dir():
            with os.scandir(path) as entries:
                self._folders[key] = {entry.name: entry.inode() for entry in entries}
        else:
            self._files[key] = (status.st_size, status.st_mtime_ns)

    def has(self, file: Path) -> bool:
        """Return whether the disk has all of a file, by this name."""
        status = file.stat()
        return self._has_contents(status) and self._has_name(file, status.st_ino)

    def _has_contents(self, status: os.stat_result) -> bool:
        key = (status.st_dev, status.st_ino)
        return self._files.get(key) == (status.st_size, status.st_mtime_ns)

    def _has_name(self, path: Path, inode: int) -> bool:
        parent = path.parent.stat()
        names = self._folders.get((parent.st_dev, parent.st_ino), {})
        return names.get(path.name) == inode

    def cut(self, folder: Path, left: Path, *, names: bool) -> None:
        """Write to a new folder what a power cut would leave of another one.

        What was not synced loses its contents, and, unless `names`, its name too.
        """
        left.mkdir()
        for path in sorted(folder.iterdir()):
            status = path.stat()
            if names or self._has_name(path, status.st_ino):
                if path.is_dir():
                    self.cut(path, left / path.name, names=names)
                else:
                    whole = self._has_contents(status)
                    (left / path.name).write_bytes(path.read_bytes() if whole else b"")
