"""One process at a time: a lock that dies with its holder."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["locked"]

_PAUSE = 0.1  # seconds between two looks at a lock that another process holds

if sys.platform == "win32":
    import msvcrt

    def _take(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock, waiting for whoever has it; also between threads.

    Parameters
    ----------
    path : pathlib.Path
        The lock's own file; it is made, and stays: removing it would let two holders in.

    Raises
    ------
    OSError
        The file cannot be made.
    """
    with path.open("ab") as file:
        while True:
            try:
                _take(file)
                break
            except (BlockingIOError, PermissionError):
                time.sleep(_PAUSE)
        yield
