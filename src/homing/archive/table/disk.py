"""The table's files on the disk: a commit counts once all that it names is there.

Lance syncs nothing. But it writes a version's manifest, which makes the commit, within a lock that
it asks its caller for. So all other files are synced when it takes the lock, and the manifest when
it gives it back: whenever the power fails, the disk has no manifest whose files it lacks, and the
manifest of every commit that has returned.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from homing.archive.table.lance_internals import VERSIONS, is_unfinished
from homing.files.durable import sync_file, sync_folder
from homing.files.locks import hold_lock


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
        for folder, _, names in os.walk(top):
            for file in (Path(folder, name) for name in names if not is_unfinished(name)):
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
