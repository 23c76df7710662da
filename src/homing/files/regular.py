"""Regular files, which can be read to their end and again, unlike pipes, devices and folders."""

import errno
import io
import stat
from pathlib import Path

_OTHERS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def irregularity(path: Path) -> str | None:
    """Say what a path leads to instead of a regular file; None to one, or to nothing.

    A pipe would be waited for when it is opened. Raises OSError where that cannot be found out.
    """
    what = _other_kind(path)
    return what and f"is {what}, not a file; copy its contents to a file, and name that"


def open_regular(path: Path) -> io.BufferedReader:
    """Open a file for reading; OSError to what is none."""
    if what := _other_kind(path):
        raise OSError(errno.EINVAL, f"it is {what}, not a file", str(path))
    return path.open("rb")


def read_regular(path: Path) -> bytes:
    """Read a file to its end; as :func:`open_regular`."""
    with open_regular(path) as file:
        return file.read()


def _other_kind(path: Path) -> str | None:
    try:
        return _OTHERS.get(stat.S_IFMT(path.stat().st_mode))
    except (FileNotFoundError, NotADirectoryError):
        return None
