"""Bounds on what a process of ours may take."""

import sys
from pathlib import Path

from homing.workers.processes import LostTaskError

LOST = (LostTaskError, MemoryError)
"""What a task raises that took more than it may, or that ended its process."""

_FIELDS = {False: "VmData", True: "VmSize"}  # of /proc, kB


def bound_memory(memory: int, *, reserved: bool) -> None:
    """Bound the memory that this process may take beyond what it has now; on Linux alone.

    A process that crashes leaves no image of its memory behind, either.

    Parameters
    ----------
    memory : int
        Bytes.
    reserved : bool
        Whether address space that is merely reserved counts, which many threads take much of.
    """
    if sys.platform != "linux":
        return
    import resource

    which = resource.RLIMIT_AS if reserved else resource.RLIMIT_DATA
    most = _taken(_FIELDS[reserved]) + memory
    resource.setrlimit(which, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _taken(field: str) -> int:
    """Bytes that this process has now."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    values = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(values[field].split()[0]) << 10
