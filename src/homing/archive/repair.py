"""Repair: an archive whose newest version cannot be read whole goes back, or is mended.

It goes back to the newest version that can be read whole. Where more can be read of a damaged one,
a new version is made of that. What the versions left behind alone consist of is moved to a folder
in the archive, and nothing is removed. Entries lost are recorded again by the same commands as
before.
"""

import datetime
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from homing.archive.exchange import export_rows
from homing.archive.settings import COPY, SETTINGS, read_copy, read_settings, renew_copy
from homing.archive.table.damaged import Damage, DamagedTable, Loss
from homing.archive.table.disk import manifests, new_set_aside, set_aside, unnamed_files
from homing.archive.table.lance_internals import FRAGMENT_SHIFT
from homing.archive.table.location import Location, location_of, write_whole
from homing.archive.table.table import TABLE, Table
from homing.archive.table.versions import hold_alone
from homing.errors import ArchiveError, UsageError
from homing.files.durable import make_folder
from homing.images.limits import shown
from homing.options import PathLike


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
        The archive's newest version now, which can be read whole.
    created_at : datetime.datetime
        When it was committed.
    entries : int
        Its entries.
    damaged : tuple of DamagedVersion
        Versions that were not, newest first; none if nothing had to be done.
    lost : tuple of str
        Ids of entries that only these have, as far as their ids can be read.
    unnamed : int
        Entries lost whose ids cannot be read, where a version was mended.
    doubtful : tuple of str
        Ids of entries kept from damaged files: these could be read, but may have wrong values.
    set_aside : Path or None
        Folder of what they consisted of.
    settings : bool
        Whether ``archive.json`` was missing or damaged, and was put back from its copy.
    """

    version: int
    created_at: datetime.datetime
    entries: int
    damaged: tuple[DamagedVersion, ...]
    lost: tuple[str, ...]
    unnamed: int
    doubtful: tuple[str, ...]
    set_aside: Path | None
    settings: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return asdict(self) | {
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "set_aside": None if self.set_aside is None else str(self.set_aside),
        }


def repair(archive: PathLike, *, to: int | None = None) -> Repair:
    """Make the newest version one that can be read whole; no change if it is.

    Goes back to the newest whole version, unless more can be read of a damaged one: then that is
    mended, without the entries that cannot be read.

    Parameters
    ----------
    archive : path
    to : int or None
        Go back to this version, whatever can be read of newer ones.

    Raises
    ------
    ArchiveError
        No version can be read; or ``archive.json`` is damaged, and so is its copy.
    UsageError
        Another process writes, or `to` is newer than a version that is whole.
    """
    place = _local(location_of(archive)) / TABLE
    if not place.is_dir():
        raise ArchiveError(f"there is no archive at {shown(place.parent)!r}")
    with hold_alone(place):
        settings = _put_back_settings(place)
        return replace(_repair(place, to), settings=settings)


def _put_back_settings(place: Path) -> bool:
    """Put ``archive.json`` back from its copy if it cannot be used; otherwise renew the copy."""
    folder, file = place.parent, place.parent / SETTINGS
    try:
        settings = read_settings(folder)
    except ArchiveError:
        copy = read_copy(folder)
        if copy is None:
            raise
        if file.exists():
            set_aside(place, [file], new_set_aside(place))
        write_whole(file, copy)
        return True
    make_folder(folder / Path(COPY).parent)
    renew_copy(folder, settings)
    return False


def _repair(place: Path, to: int | None) -> Repair:
    damage, damaged, whole = Damage(place), [], None
    for version in manifests(place):
        reason = damage.of_version(version)
        if reason is None and version > (to or version):
            raise UsageError(f"version {version} is whole: there is no need to go back")
        if reason is None and (to is None or version <= to):
            whole = version
            break
        damaged.append(DamagedVersion(version, str(reason)))
    opened = next((d.version for d in damaged if _opens(place, d.version)), None)
    if to is None and opened is not None and _is_better(place, opened, whole, damage):
        return _mend(place, opened, damage, damaged)
    if whole is not None:
        return _go_back(place, whole, damage, damaged)
    reasons = "; ".join(f"version {each.version}: {each.reason}" for each in damaged)
    raise ArchiveError(f"nothing of {shown(place)} can be read ({reasons or 'it has no version'})")


def _is_better(place: Path, opened: int, whole: int | None, damage: Damage) -> bool:
    """Return whether mending a damaged version loses less than going back to a whole one."""
    table = DamagedTable.of(place, opened, damage)
    read = {name for batch in table.batches(table.dataset.schema.names) for name in _ids_in(batch)}
    if whole is None:
        return bool(read)
    sound = set(table.fragment_rows()) - set(table.damaged_fragments())
    old: set[str] = set()
    saved: set[str] = set(table.loss.ids)  # and, read below, what the damaged parts may have had
    for batch in Table.open_damaged(place, whole).batches(["id"], addresses=True):
        ids = _ids_in(batch)
        fragments = batch.column("_rowaddr").to_numpy() >> FRAGMENT_SHIFT
        old.update(ids)
        saved.update(i for i, at in zip(ids, fragments.tolist(), strict=True) if at not in sound)
    saved = (saved & old) - read
    lost, removed = read - old, old - read - saved
    return len(lost) >= len(saved) if lost or saved else bool(removed)


def _go_back(place: Path, version: int, damage: Damage, damaged: list[DamagedVersion]) -> Repair:
    lost = _lost(place, version, damage, damaged)
    folder = None
    if damaged:
        folder = new_set_aside(place)
        newer = [file for v, file in manifests(place).items() if v > version]
        older = [f for v, f in manifests(place).items() if v < version and not _opens(place, v)]
        set_aside(place, [*newer, *older], folder)
        table = Table.open_damaged(place, version)
        set_aside(place, unnamed_files(table.dataset, place), folder)
    return _repaired(place, tuple(damaged), folder, Loss(ids=lost))


def _mend(place: Path, version: int, damage: Damage, damaged: list[DamagedVersion]) -> Repair:
    """Write what can be read of a version as a new one; set aside all that have damaged files."""
    folder = new_set_aside(place)
    set_aside(place, [file for v, file in manifests(place).items() if v > version], folder)
    table = DamagedTable.of(place, version, damage)
    table.mend()
    mended, *older = manifests(place).items()
    rotten = [file for v, file in older if damage.of_version(v) is not None]
    set_aside(place, rotten, folder)
    unnamed = unnamed_files(Table.open_damaged(place, mended[0]).dataset, place)
    set_aside(place, unnamed, folder)
    return _repaired(place, tuple(damaged), folder, table.loss)


def _repaired(
    place: Path, damaged: tuple[DamagedVersion, ...], folder: Path | None, loss: Loss
) -> Repair:
    table = Table.open(place)
    if folder is not None:
        table.checksums.renew(table.dataset)  # the records of what is set aside go
    created_at = table.versions()[-1]["created_at"]
    return Repair(
        version=table.version,
        created_at=created_at,
        entries=len(table),
        damaged=damaged,
        lost=tuple(sorted(loss.ids)),
        unnamed=max(0, loss.rows - len(loss.ids)),
        doubtful=tuple(sorted(loss.doubtful)),
        set_aside=folder,
    )


def _opens(place: Path, version: int) -> bool:
    try:
        Table.open_damaged(place, version)
    except ArchiveError:
        return False
    return True


def _lost(place: Path, version: int, damage: Damage, damaged: list[DamagedVersion]) -> list[str]:
    """Ids that damaged versions have and an older one has not, as far as they can be read."""
    lost: set[str] = set()
    for each in damaged:
        if _opens(place, each.version):
            lost |= _ids(DamagedTable.of(place, each.version, damage))
    return sorted(lost - _ids(Table.open_damaged(place, version))) if lost else []


def _ids(table: Table) -> set[str]:
    return {name for batch in table.batches(["id"]) for name in _ids_in(batch)}


def _ids_in(batch: pa.RecordBatch) -> list[str]:
    ids: list[str] = batch.column("id").to_pylist()
    return ids


def export_readable(archive: PathLike, file: PathLike) -> tuple[int, Loss]:
    """Write all that can be read of the newest version whose list of files can be read.

    Returns the count of entries written, and what was left out.
    """
    folder = _local(location_of(archive))
    settings, place = read_settings(folder), folder / TABLE
    for version in manifests(place):
        if _opens(place, version):
            table = DamagedTable.of(place, version, Damage(place))
            exported = export_rows(table, settings, folder, file, previews=True, progress=None)
            return exported, table.loss
    raise ArchiveError(f"no version of {shown(place)} can be opened: nothing can be exported")


def _local(folder: Location) -> Path:
    if isinstance(folder, Path):
        return folder
    raise UsageError(
        f"{folder} is in an object store, which keeps its objects whole itself: see its own means "
        "of going back"
    )
