"""Repair: an archive whose newest version cannot be read goes back to the newest that can.

What the versions left behind alone consist of is moved to a folder in the archive, and nothing is
removed. Entries lost so are recorded again by the same commands as before.
"""

import datetime
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from homing.archive.exchange import export_rows
from homing.archive.settings import read_settings
from homing.archive.table.damaged import DamagedTable, reason_against
from homing.archive.table.disk import manifests, new_set_aside, set_aside, unnamed_files
from homing.archive.table.location import Location, location_of
from homing.archive.table.table import TABLE, Table
from homing.archive.table.versions import hold_alone
from homing.errors import ArchiveError, UsageError
from homing.images.limits import shown
from homing.options import PathLike

_EXPORT = (
    "'homing repair --export FILE' writes what can be read, for 'homing import' into a new archive"
)


@dataclass(frozen=True)
class DamagedVersion:
    """A version that cannot be read, or not whole."""

    version: int
    reason: str


@dataclass(frozen=True)
class Repair:
    """Result of repairing an archive.

    Attributes
    ----------
    version : int
        The newest version that can be read, which is now the archive's.
    created_at : datetime.datetime
        When it was committed.
    entries : int
        Its entries.
    damaged : tuple of DamagedVersion
        Newer versions, newest first; none if nothing had to be done.
    lost : tuple of str
        Ids of entries that only these have, as far as their ids can be read.
    set_aside : Path or None
        Folder of what they consisted of.
    """

    version: int
    created_at: datetime.datetime
    entries: int
    damaged: tuple[DamagedVersion, ...]
    lost: tuple[str, ...]
    set_aside: Path | None

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return asdict(self) | {
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "set_aside": None if self.set_aside is None else str(self.set_aside),
        }


def repair(archive: PathLike, *, to: int | None = None) -> Repair:
    """Go back to the newest version that can be read whole; no change if that is the newest.

    Parameters
    ----------
    archive : path
    to : int or None
        Go back to this version, whatever can be read of newer ones.

    Raises
    ------
    ArchiveError
        No version can be read whole, or more can be read of a damaged one than a whole one has.
    UsageError
        Another process writes, or `to` is newer than a version that is whole.
    """
    place = _local(location_of(archive)) / TABLE
    if not place.is_dir():
        raise ArchiveError(f"there is no archive at {shown(place.parent)!r}")
    damaged: list[DamagedVersion] = []
    with hold_alone(place):
        for version in manifests(place):
            reason = reason_against(place, version)
            if reason is None and version > (to or 0):
                if to is not None:
                    raise UsageError(f"version {version} is whole: there is no need to go back")
                _refuse_if_less(place, version, damaged)
            if reason is None:
                return _go_back(place, version, damaged)
            damaged.append(DamagedVersion(version, reason))
    reasons = "; ".join(f"version {each.version}: {each.reason}" for each in damaged)
    raise ArchiveError(
        f"no version of {shown(place)} can be read whole ({reasons or 'there is none'}); {_EXPORT}"
    )


def _refuse_if_less(place: Path, version: int, damaged: list[DamagedVersion]) -> None:
    """Refuse to go back where more can be read of a damaged version."""
    entries = len(Table.open_damaged(place, version))
    for each in damaged:
        if _opens(place, each.version):
            table = DamagedTable.open_damaged(place, each.version)
            read = sum(batch.num_rows for batch in table.batches(table.dataset.schema.names))
            if read > entries:
                raise ArchiveError(
                    f"version {each.version} is damaged ({each.reason}), but {read} of its "
                    f"{len(table)} entries can be read, and version {version}, the newest that is "
                    f"whole, has {entries}; {_EXPORT}, and 'homing repair --to {version}' goes "
                    "back all the same"
                )
            return


def _go_back(place: Path, version: int, damaged: list[DamagedVersion]) -> Repair:
    lost = _lost(place, version, damaged)
    folder = None
    if damaged:
        folder = new_set_aside(place)
        newer = [file for v, file in manifests(place).items() if v > version]
        older = [f for v, f in manifests(place).items() if v < version and not _opens(place, v)]
        set_aside(place, [*newer, *older], folder)
        table = Table.open_damaged(place, version)
        set_aside(place, unnamed_files(table.dataset, place), folder)
    table = Table.open(place)
    if damaged:
        table.checksums.renew(table.dataset)  # the records of what is set aside go
    (known,) = (each for each in table.versions() if each["version"] == version)
    return Repair(version, known["created_at"], len(table), tuple(damaged), lost, folder)


def _opens(place: Path, version: int) -> bool:
    try:
        Table.open_damaged(place, version)
    except ArchiveError:
        return False
    return True


def _lost(place: Path, version: int, damaged: list[DamagedVersion]) -> tuple[str, ...]:
    """Ids that damaged versions have and an older one has not, as far as they can be read."""
    lost: set[str] = set()
    for each in damaged:
        if _opens(place, each.version):
            lost |= _ids(DamagedTable.open_damaged(place, each.version))
    return tuple(sorted(lost - _ids(Table.open_damaged(place, version)))) if lost else ()


def _ids(table: Table) -> set[str]:
    return {name for batch in table.batches(["id"]) for name in batch.column("id").to_pylist()}


def export_readable(archive: PathLike, file: PathLike) -> tuple[int, int]:
    """Write all that can be read of the newest version whose list of files can be read.

    Returns the counts of entries written and left out.
    """
    folder = _local(location_of(archive))
    settings, place = read_settings(folder), folder / TABLE
    for version in manifests(place):
        if _opens(place, version):
            table = DamagedTable.open_damaged(place, version)
            return export_rows(
                table, settings, folder, file, previews=True, progress=None
            ), table.lost
    raise ArchiveError(f"no version of {shown(place)} can be opened: nothing can be exported")


def _local(folder: Location) -> Path:
    if isinstance(folder, Path):
        return folder
    raise UsageError(
        f"{folder} is in an object store, which keeps its objects whole itself: see its own means "
        "of going back"
    )
