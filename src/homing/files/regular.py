"""Regular files, which can be read to their end and again, unlike pipes, devices and folders."""

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
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    what = _OTHERS.get(kind)
    return what and f"is {what}, not a file; copy its contents to a file, and name that"
