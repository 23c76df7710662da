"""The table's files on the disk: a commit counts once all that it names is there.

Lance syncs nothing. But it writes a version's manifest, which makes the commit, within a lock that
it asks its caller for. So all other files are synced when it takes the lock, and the manifest when
it gives it back: whenever the power fails, the disk has no manifest whose files it lacks, and the
manifest of every commit that has returned.
"""

import datetime
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from homing.archive.table.lance_internals import (
    HINT,
    MANIFEST_END,
    NAMED,
    VERSIONS,
    is_unfinished,
    version_of,
)
from homing.files.durable import make_folder, sync_file, sync_folder
from homing.files.locks import hold_lock
from homing.files.regular import read_regular

if TYPE_CHECKING:
    import lance

SET_ASIDE = "set-aside"
"""Folder of an archive with what a power cut or damage has made unusable."""


class DiskCommits:
    """Lance's commit lock of a local table; one writer at a time is within it.

    Parameters
    ----------
    table : Path
    sync : bool
        False: nothing is synced, which is faster. The next one that syncs makes up for it.
    """

    def __init__(self, table: Path, *, sync: bool = True) -> None:
        self._table = table
        self.sync = sync
        self._synced: set[tuple[str, int, int]] = set()  # path, bytes, time of last change

    @contextmanager
    def __call__(self, version: int) -> Iterator[None]:
        """Hold the lock while Lance writes the manifest of a version."""
        del version  # Lance has checked that no other writer has made it
        with self.settled():
            yield
            self._settle(self._table / VERSIONS)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Hold the lock, with all files of all versions on the disk.

        Also those of processes that were killed, or did not sync: this one's work rests on them.
        """
        with hold_lock(self._table.with_suffix(".commits")):
            self._settle(self._table)
            yield

    def _settle(self, top: Path) -> None:
        if not self.sync:
            return
        synced, changed = set(), set()
        for file in (each for each in _files(top) if not is_unfinished(each.name)):
            with suppress(FileNotFoundError):  # another process forgets versions
                status = file.stat()
                found = (str(file), status.st_size, status.st_mtime_ns)
                if found not in self._synced:
                    sync_file(file)
                    changed |= {file.parent, *file.parent.parents} - {*self._table.parents}
                synced.add(found)
        for each in changed:
            with suppress(FileNotFoundError):
                sync_folder(each)
        self._synced |= synced


def manifests(table: Path) -> dict[int, Path]:
    """List a local table's manifests by version, newest first."""
    found = {version_of(file.name): file for file in _files(table / VERSIONS)}
    return {version: found[version] for version in sorted(filter(None, found), reverse=True)}


def set_aside_blank(table: Path) -> None:
    """Set aside the newest manifests if they are empty: a power cut has left them so.

    Their commits never returned, since a manifest is synced before. Lance makes none in place, so
    that no other process is writing them.
    """
    for file in manifests(table).values():
        if not _is_blank(file):
            break
        set_aside(table, [file], new_set_aside(table))


def _is_blank(file: Path) -> bool:
    try:
        data = read_regular(file)
    except FileNotFoundError:  # another process has set it aside
        return False
    return not data.endswith(MANIFEST_END) and not any(data)


def new_set_aside(table: Path) -> Path:
    """Make a folder beside a local table for files set aside together."""
    make_folder(table.parent / SET_ASIDE)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ-")
    return Path(tempfile.mkdtemp(prefix=now, dir=table.parent / SET_ASIDE))


def set_aside(table: Path, files: Iterable[Path], folder: Path) -> None:
    """Move some of a local table's files to such a folder, from which nothing is ever removed."""
    left = set()
    for file in files:
        place = folder / file.relative_to(table.parent)
        make_folder(place.parent)
        file.replace(place)
        sync_folder(place.parent)
        left.add(file.parent)
    for each in left:
        sync_folder(each)
    sync_folder(folder.parent)


def unnamed_files(dataset: "lance.LanceDataset", table: Path) -> list[Path]:
    """List a local table's files that no version names; all versions must be readable.

    Unless a writer is at work, one that was killed has left them.
    """
    named = {table / path for path in dataset.tracked_files().read_all()["path"].to_pylist()}
    kept = [each for name in NAMED for each in _files(table / name) if each not in named]
    return kept + [each for each in _files(table / VERSIONS) if is_unfinished(each.name)]


def _files(top: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(top):
        yield from (Path(folder, name) for name in names if name != HINT)
