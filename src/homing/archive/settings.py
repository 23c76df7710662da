"""``archive.json``: the settings an archive was made with, and their copy for a repair.

Only the format changes afterwards: it is raised when an archive adopts a second codebook
generation, so that versions of homing that know a single one refuse it.
"""

import contextlib
import datetime
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from homing._version import __version__
from homing.archive.table.location import (
    SHARE_ARCHIVE_OR_STORE,
    Location,
    read_whole,
    refuse_in_worker,
    write_whole,
)
from homing.errors import ArchiveError, DescriptorError, UsageError
from homing.files.small_json import build, decode, encode
from homing.options import PREVIEW_SIDE, check_places, check_preview_side

if TYPE_CHECKING:
    from homing.descriptors.descriptor import Descriptor

FORMAT, SEVERAL_GENERATIONS = 1, 2
SETTINGS = "archive.json"
COPY = f"checksums/{SETTINGS}.copy"
"""Copy of the settings; archives that were made before there was one have none."""

_MOST_DIMENSIONS = 1 << 16


@dataclass(frozen=True, kw_only=True)
class ArchiveSettings:
    """The settings an archive was made with."""

    descriptor: str  # name or path that loads it again
    descriptor_fingerprint: str
    dimension: int  # of the descriptor's vectors
    codebook: str  # factory string of the first generation's
    codebook_fingerprint: str
    codebook_choice: str = ""  # why that codebook, in words
    expect: int | None = None  # pictures the archive was made for
    identity: str = ""  # random name by which an unfinished release is recognised
    created_at: str = ""  # ISO 8601, UTC
    created_by: str = ""  # version of homing
    #: Longer side of previews, pixels; 0: none. Archives without it get previews of new entries.
    previews: int = PREVIEW_SIDE
    places: int = 1  # cells that a released picture is held in
    format: int = FORMAT


def write_settings(folder: Location, settings: ArchiveSettings) -> None:
    """Write ``archive.json`` with the present time and version."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    values = asdict(settings) | {"created_at": now, "created_by": f"homing {__version__}"}
    _write(folder, encode(values))


def raise_format(folder: Location) -> None:
    """Mark an archive as one of several codebook generations; atomically."""
    settings = read_settings(folder)
    if settings.format != SEVERAL_GENERATIONS:
        _write(folder, encode(asdict(replace(settings, format=SEVERAL_GENERATIONS))))


def _write(folder: Location, data: bytes) -> None:
    """Write the copy first: an archive exists once its settings do."""
    write_whole(_copy(folder), data)
    write_whole(folder / SETTINGS, data)


def _copy(folder: Location) -> Location:
    top, name = COPY.split("/")
    return folder / top / name


def read_copy(folder: Location) -> bytes | None:
    """Read the copy of ``archive.json``; None if there is none, or none that can be used."""
    try:
        data = read_whole(_copy(folder))
        _parse(data)
    except (OSError, ValueError):
        return None
    return data


def copy_is_wrong(folder: Location, settings: ArchiveSettings) -> bool:
    """Return whether there is a copy of settings that is damaged, or of others.

    It may have a later format: of a process that died before it had adopted a codebook.
    """
    data = read_copy(folder)
    if data is None:
        return _copy(folder).exists()
    return replace(_parse(data), format=settings.format) != settings


def renew_copy(folder: Location, settings: ArchiveSettings) -> None:
    """Write the copy of settings that can be used, if it is wrong or missing."""
    if copy_is_wrong(folder, settings) or not _copy(folder).exists():
        write_whole(_copy(folder), read_whole(folder / SETTINGS))


def read_settings(folder: Location) -> ArchiveSettings:
    """Read ``archive.json``; ArchiveError if it is missing, damaged or of an unknown format."""
    path = folder / SETTINGS
    try:
        return _parse(read_whole(path))
    except (FileNotFoundError, NotADirectoryError):
        raise ArchiveError(f"there is no archive at {str(folder)!r}{_instead(folder)}") from None
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{path} cannot be used: {error}{_remedy(folder)}") from error


def _remedy(folder: Location) -> str:
    """Say how settings come back that are missing or damaged."""
    if isinstance(folder, Path) and read_copy(folder) is not None:
        return f"; 'homing repair {folder}' puts back its copy"
    return "; copy it back from a backup"


def _parse(data: bytes) -> ArchiveSettings:
    return _checked(build(ArchiveSettings, decode(data, (FORMAT, SEVERAL_GENERATIONS))))


def _instead(folder: Location) -> str:
    """Say what stands in the place of an archive, and how to make one."""
    with contextlib.suppress(OSError):  # of a folder that may not be read
        if isinstance(folder, Path) and folder.is_file():
            return ", which is a file; an archive is a folder, made with 'homing init archive'"
        if isinstance(folder, Path) and (folder / "checksums").is_dir():
            return f": {folder / SETTINGS} is missing{_remedy(folder)}"
        if isinstance(folder, Path) and folder.is_dir() and any(folder.iterdir()):
            return ", which is a folder of other files; make one with 'homing init archive'"
    return f"; make one with 'homing init {folder}'"


def _checked(settings: ArchiveSettings) -> ArchiveSettings:
    if not 1 <= settings.dimension <= _MOST_DIMENSIONS:
        raise ValueError(f"'dimension' is {settings.dimension}")
    if settings.expect is not None and settings.expect < 1:
        raise ValueError(f"'expect' is {settings.expect}")
    try:
        check_preview_side(settings.previews)
        check_places(settings.places)
    except UsageError as error:
        raise ValueError(str(error)) from error
    return settings


def check_descriptor(
    descriptor: "Descriptor", settings: ArchiveSettings, archive: Location
) -> None:
    """Refuse a descriptor that is not the archive's."""
    if descriptor.fingerprint != settings.descriptor_fingerprint:
        raise DescriptorError(
            f"descriptor {descriptor.name!r} has fingerprint {descriptor.fingerprint}, but "
            f"{str(archive)!r} was made with {settings.descriptor_fingerprint} "
            f"({settings.descriptor}); open the archive with that one"
        )


def check_same_archive(archive: Location, settings: ArchiveSettings) -> None:
    """Refuse a worker whose machine has no archive, or another one, under the same path."""
    try:
        found = read_settings(archive)
    except ArchiveError as error:
        raise refuse_in_worker(error) from error
    if found.identity != settings.identity:
        raise UsageError(
            f"the worker on {socket.gethostname()} has another archive at {archive}; "
            f"{SHARE_ARCHIVE_OR_STORE}"
        )
