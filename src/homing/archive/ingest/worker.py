"""What workers that read pictures have in common, on this machine or on others.

Each has the archive's descriptor for itself. One on another machine may see something else under
the same path, or nothing. It therefore says of each picture how long its file is, which the process
that was asked compares with its own.
"""

from pathlib import Path

from homing.archive.settings import ArchiveSettings, check_descriptor
from homing.archive.table.location import Location
from homing.descriptors import Descriptor, load_descriptor
from homing.descriptors.workers import share_threads
from homing.errors import DescriptorError, UsageError
from homing.images import shown
from homing.workers.memory import keep_freed_memory


def loadable_descriptor(settings: ArchiveSettings, archive: Location) -> Descriptor:
    """Load an archive's descriptor as its workers will, before there are any.

    Its weights are so fetched once, and an error comes before any process does.

    Raises
    ------
    DescriptorError
        It cannot be loaded by what the settings say of it.
    """
    try:
        descriptor = load_descriptor(settings.descriptor)
        check_descriptor(descriptor, settings, archive)
    except DescriptorError as error:
        raise DescriptorError(
            f"the archive's descriptor cannot be loaded by other processes: {error}"
        ) from error
    return descriptor


def worker_descriptor(
    settings: ArchiveSettings, archive: Location, device: str, neighbours: int
) -> Descriptor:
    """Load the descriptor in a worker, one of so many that share the processors of a machine."""
    keep_freed_memory()
    share_threads(neighbours)
    descriptor = load_descriptor(settings.descriptor, device=device)
    check_descriptor(descriptor, settings, archive)
    return descriptor


def length_of(path: Path) -> int | None:
    """Bytes of a file; None if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def otherwise_seen(path: Path, length: int | None, machine: str) -> str | None:
    """Compare a file with what a worker has seen; where that is another one, why, or None.

    Parameters
    ----------
    path : Path
    length : int or None
        Of the file, as the worker has seen it.
    machine : str
        The worker's.

    Raises
    ------
    UsageError
        The worker sees no file, and one is here.
    """
    here = length_of(path)
    if length == here:
        return None
    if length is None:
        raise UsageError(
            f"the worker on {machine} does not see {shown(path)}, which is here; put the pictures "
            "where all machines see them under the same path, as on a shared file system"
        )
    return f"the worker on {machine} sees a file of {length} bytes, and here are {here or 'none'}"
