"""Memory settings of a process that belongs to homing alone."""

import sys

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGEST_REUSED = 1 << 25  # bytes; the most that glibc accepts


def keep_freed_memory() -> None:
    """Let glibc's allocator keep freed buffers instead of returning them to the system.

    Networks free and request the same large buffers at every step. Returned to the system, each is
    faulted in again page by page, which costs a fifth of the time on a CPU. Threads share one heap:
    those of their own are too small for such buffers, and are returned as soon as they are empty.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_REUSED)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)
        mallopt(_M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Give freed buffers back to the system: what follows needs more than they can hold together.

    It takes a few milliseconds.
    """
    if sys.platform.startswith("linux"):
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
