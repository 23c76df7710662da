"""File locks, which end with the process that holds them."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_PAUSE = 0.1  # seconds between two attempts at a lock that another process holds
_AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # without waiting for the other end of a pipe

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    _share = _take  # Windows has no shared locks here
else:
    import fcntl

    def _take(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _share(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def try_lock(file: IO[bytes]) -> bool:
    """Take the lock of an open file until it is closed; False if another process has it."""
    return _try(_take, file)


def _try(take: Callable[[IO[bytes]], None], file: IO[bytes]) -> bool:
    try:
        take(file)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _opened(path: Path) -> IO[bytes]:
    """Open a lock's file, and make it if need be; OSError where a pipe has its name."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _AT_ONCE
    return os.fdopen(os.open(path, flags, 0o666), "ab")


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold a lock exclusively, waiting for it; also between threads.

    The lock file is made and stays: if it were removed, two could hold the lock.
    """
    with _opened(path) as file:
        while not try_lock(file):
            time.sleep(_PAUSE)
        yield


@contextmanager
def share_lock(path: Path) -> Iterator[None]:
    """Hold a lock together with others, but not beside a holder of the whole lock."""
    with _opened(path) as file:
        while not _try(_share, file):
            time.sleep(_PAUSE)
        yield


@contextmanager
def hold_lock_within(path: Path, seconds: float) -> Iterator[bool]:
    """Try for some seconds to hold a lock exclusively; yield whether it is held."""
    end = time.monotonic() + seconds
    with _opened(path) as file:
        while not (held := try_lock(file)) and time.monotonic() < end:
            time.sleep(_PAUSE)
        yield held
