"""Files that appear whole or not at all, and are overwritten only on request."""

import errno
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from homing.files.regular import open_regular

_REFUSED = {
    errno.ENAMETOOLONG,
    errno.EINVAL,  # characters that the file system does not support
    errno.EILSEQ,
    errno.EACCES,  # another user's folder
    errno.EPERM,
    errno.EROFS,
}


def refuses_name(error: OSError) -> bool:
    """Return whether an error means that the file system will never give a file that name."""
    return error.errno in _REFUSED


def write_durably(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a new file and wait until the disk has it; `FileExistsError` if it exists."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # A buffer would fail once more when it is closed.
    with os.fdopen(os.open(path, flags, mode), "wb", buffering=0) as file:
        try:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError as error:  # Python does not name the file when the disk is full
            error.filename = os.fspath(path)
            raise


def publish(staged: Path, final: Path) -> None:
    """Give a complete file its final name, atomically; `FileExistsError` if `final` exists.

    Both paths must be on one file system. If that supports hard links, the staged name stays until
    the caller removes it.
    """
    try:
        os.link(staged, final)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        # A file system without hard links (exFAT, some network shares): another writer of the same
        # name could come between the check and the rename.
        if final.exists() or final.is_symlink():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        staged.rename(final)


@contextmanager
def staged_beside(path: Path) -> Iterator[Path]:
    """Give a path beside a file, ``.NAME.….part``, to write and then to rename or publish.

    The file there is removed at the end; it stays only if the process is killed.
    """
    staged = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        yield staged
    finally:
        staged.unlink(missing_ok=True)


def remove_parts(folder: Path, seconds: float) -> None:
    """Remove files in a folder that :func:`staged_beside` named and that are older."""
    for left in folder.glob(".*.part"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime >= seconds:
                left.unlink()


def replace_durably(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Replace a file's contents atomically, and wait until the disk has them."""
    with staged_beside(path) as staged:
        write_durably(staged, data, mode)
        staged.replace(path)
        sync_folder(path.parent)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder, with those above it if need be, and wait until the disk has their names."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode, parents=True, exist_ok=True)
    for each in reversed(missing):
        sync_folder(each.parent)


def sync_file(file: Path) -> None:
    """Wait until the disk has a file's contents; its name is its folder's."""
    _sync(file, os.O_RDONLY if os.name == "posix" else os.O_RDWR)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's names, if the system supports that."""
    if os.name == "posix":
        _sync(folder, os.O_RDONLY)


def sync_tree(folder: Path) -> None:
    """Wait until the disk has all that is below a folder."""
    for place, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(place, name))
        sync_folder(Path(place))


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    except OSError as error:  # a full or failing disk, which Python does not name
        error.filename = os.fspath(path)
        raise
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> bytes:
    """Return the SHA-256 of a file, 32 bytes."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").digest()
