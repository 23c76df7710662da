"""Archives as a worker reaches them, which may run on another machine than the one who asks."""

import socket

from homing.archive.settings import ArchiveSettings, read_settings
from homing.archive.table.location import Location
from homing.archive.table.table import Table
from homing.errors import ArchiveError, UsageError

_WHAT_TO_DO = (
    "put the archive where all machines see it under the same path, or in an object store whose "
    "credentials are in their environment"
)


def reached_record(place: Location, *, version: int | None = None) -> Table:
    """Open a record in a worker.

    Raises
    ------
    UsageError
        It is not there, as seen from this worker's machine, or not at that version.
    """
    try:
        return Table.open(place, version=version)
    except ArchiveError as error:
        raise _unreached(error) from error


def refuse_another(archive: Location, settings: ArchiveSettings) -> None:
    """Refuse an archive that is not the one that has these settings.

    Raises
    ------
    UsageError
        Under the same path this worker's machine has another archive, or none.
    """
    try:
        found = read_settings(archive)
    except ArchiveError as error:
        raise _unreached(error) from error
    if found.identity != settings.identity:
        raise UsageError(
            f"the worker on {socket.gethostname()} has another archive at {archive}; {_WHAT_TO_DO}"
        )


def _unreached(error: ArchiveError) -> UsageError:
    machine = socket.gethostname()
    return UsageError(f"the worker on {machine} cannot reach the archive: {error}; {_WHAT_TO_DO}")
