"""Settings of our own process, which a library must not touch."""

import ctypes
import os
import sys

__all__ = ["keep_freed_memory", "share_processors"]

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 1 << 25  # bytes; the most that glibc accepts


def keep_freed_memory() -> None:
    """Let the allocator keep freed buffers instead of returning them to the system.

    Networks free and ask for the same large buffers at every step; returned to the system, each is
    faulted in again page by page, which costs a fifth of the time on a CPU. Only glibc is told.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def share_processors() -> None:
    """Let the network's threads sleep soon while they wait, unless the user says otherwise.

    By default OpenMP's threads spin for long at every barrier. Where other work wants the
    processors (our own decoding threads, or another program) the one waited for is then kept from
    running: seven times slower was seen beside one busy process. To sleep at once (the policy
    "passive") costs a tenth on a quiet machine; some microseconds of spinning cost nothing in
    either case. Must be called before torch is imported.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
