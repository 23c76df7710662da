"""``archive.json``: the settings an archive was made with.

Only the format changes afterwards: it is raised when an archive adopts a second codebook
generation, so that versions of homing that know a single one refuse it.
"""

import datetime
import json
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing._version import __version__
from homing.archive.table.location import SHARE_ARCHIVE_OR_STORE, Location, refuse_in_worker
from homing.errors import ArchiveError, DescriptorError, UsageError
from homing.files.durable import replace_durably
from homing.options import PREVIEW_SIDE

if TYPE_CHECKING:
    from homing.descriptors.descriptor import Descriptor

FORMAT, SEVERAL_GENERATIONS = 1, 2
SETTINGS = "archive.json"


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
    format: int = FORMAT


def write_settings(folder: Location, settings: ArchiveSettings) -> None:
    """Write ``archive.json`` with the present time and version."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    values = asdict(settings) | {"created_at": now, "created_by": f"homing {__version__}"}
    _write(folder / SETTINGS, values)


def raise_format(folder: Location) -> None:
    """Mark an archive as one of several codebook generations; atomically."""
    path = folder / SETTINGS
    values = json.loads(path.read_text(encoding="utf-8"))
    if values["format"] == SEVERAL_GENERATIONS:
        return
    _write(path, values | {"format": SEVERAL_GENERATIONS})


def _write(path: Location, values: Mapping[str, Any]) -> None:
    text = json.dumps(values, indent=2) + "\n"
    if isinstance(path, Path):
        replace_durably(path, text.encode())
    else:
        path.write_text(text, encoding="utf-8")


def read_settings(folder: Location) -> ArchiveSettings:
    """Read ``archive.json``; ArchiveError if it is missing, damaged or of an unknown format."""
    path = folder / SETTINGS
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ArchiveError(
            f"there is no archive at {str(folder)!r}; make one with 'homing init'"
        ) from None
    except (OSError, ValueError) as error:
        raise ArchiveError(f"{path} cannot be read: {error}") from error
    found = values.get("format") if isinstance(values, dict) else None
    if found not in (FORMAT, SEVERAL_GENERATIONS):
        raise ArchiveError(
            f"{path} has format {found!r}; this version of homing knows formats {FORMAT} and "
            f"{SEVERAL_GENERATIONS}: a later one may read it"
        )
    try:
        return ArchiveSettings(**values)
    except TypeError as error:
        raise ArchiveError(f"{path} is damaged: {error}") from error


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
