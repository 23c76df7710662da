"""Locks on files that die with the process that holds them."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_PAUSE = 0.1  # seconds between two looks at a lock that another process holds

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    _share = _take  # there are no locks that several may hold
else:
    import fcntl

    def _take(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _share(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def try_lock(file: IO[bytes]) -> bool:
    """Take the lock of an open file until it is closed; False if somebody else has it."""
    return _tried(_take, file)


def _tried(take: Callable[[IO[bytes]], None], file: IO[bytes]) -> bool:
    try:
        take(file)
    except (BlockingIOError, PermissionError):
        return False
    return True


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
        while not try_lock(file):
            time.sleep(_PAUSE)
        yield


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold a lock that any number may hold, but nobody beside who has it by :func:`soon_locked`."""
    with path.open("ab") as file:
        while not _tried(_share, file):
            time.sleep(_PAUSE)
        yield


@contextmanager
def soon_locked(path: Path, seconds: float) -> Iterator[bool]:
    """Hold a lock alone if that is to be had within some seconds; the block is told whether."""
    end = time.monotonic() + seconds
    with path.open("ab") as file:
        while not (alone := try_lock(file)) and time.monotonic() < end:
            time.sleep(_PAUSE)
        yield alone
