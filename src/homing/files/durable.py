"""Files that appear whole or not at all, and are overwritten only where that is asked for."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK = 1 << 20
_REFUSED = {
    errno.ENAMETOOLONG,
    errno.EINVAL,  # characters that the file system does not have
    errno.EILSEQ,
    errno.EACCES,  # a folder of somebody else
    errno.EPERM,
    errno.EROFS,
}


def refuses_name(error: OSError) -> bool:
    """Whether a file system will never give a file that name, however often it is asked."""
    return error.errno in _REFUSED


def write_durably(path: Path, data: bytes) -> None:
    """Write a new file and wait until the disk has it. `FileExistsError` if there is one."""
    with path.open("xb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:  # of a full disk Python does not say which one
            error.filename = os.fspath(path)
            raise


def publish(staged: Path, final: Path) -> None:
    """Give a complete file its final name, atomically; never over an existing one.

    Both paths must be on one file system. The staged name stays until the caller removes it, where
    the file system knows hard links.

    Raises
    ------
    FileExistsError
        `final` exists.
    """
    try:
        os.link(staged, final)
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
        # A file system without hard links (exFAT, some network shares): the check and the rename
        # are two steps, which another writer of the same name could come between.
        if final.exists() or final.is_symlink():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        staged.rename(final)


@contextmanager
def staged_beside(path: Path) -> Iterator[Path]:
    """Give a name beside a file, to be written and then renamed or published.

    ``.NAME.….part`` stays only if the process is killed.
    """
    staged = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        yield staged
    finally:
        staged.unlink(missing_ok=True)


def replace_durably(path: Path, data: bytes) -> None:
    """Give a file other contents, atomically, and wait until the disk has them."""
    with staged_beside(path) as staged:
        write_durably(staged, data)
        staged.replace(path)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's names, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> bytes:
    """SHA-256 of a file's bytes, 32 bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
