"""Verification of a service's folder: its keys, its jobs and the searches that it saved."""

from collections.abc import Iterator
from pathlib import Path

from homing.errors import UsageError
from homing.serve.access.keys import KeyRing
from homing.serve.access.secret import read_secret
from homing.serve.jobs.store import JobFolder
from homing.serve.token_folders import SavedSearches, is_token


def damaged_files(folder: Path) -> Iterator[str]:
    """Read the small files of a service; yield what is wrong with any."""
    try:
        KeyRing(folder).all()
    except UsageError as error:
        yield str(error)
    try:
        read_secret(folder)
    except UsageError as error:
        yield str(error)
    except FileNotFoundError:  # never started
        pass
    try:
        yield from _damaged_below(folder)
    except PermissionError as error:
        yield f"{error.filename} cannot be read: {error.strerror}; verify as the service's user"


def _damaged_below(folder: Path) -> Iterator[str]:
    jobs = folder / "jobs"
    for place in sorted(jobs.iterdir()) if jobs.is_dir() else ():
        if is_token(place.name) and (reason := JobFolder(place).damage()):
            yield f"{reason}; that release is lost, remove its folder"
    yield from SavedSearches.of(folder).damaged()
