"""One Lance dataset at one version: opening, moving on, committing and forgetting versions.

Versions must not be forgotten under a commit that began before them: Lance then sees no conflict,
and a compaction brings back the rows that another process has removed meanwhile (seen with Lance
14). Writers therefore share a lock, and a process that forgets versions holds it alone.
"""

import copy
import datetime
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import lance
import pyarrow as pa
from lance.optimize import Compaction, CompactionOptions

from homing.archive.table.checksums import Checksums, tracked_files
from homing.archive.table.disk import DiskCommits, manifests, set_aside_blank, unnamed_files
from homing.archive.table.lance_internals import LANCE_ERRORS, is_panic, reason_of
from homing.archive.table.location import Location, ObjectStorePath
from homing.errors import ArchiveError, UsageError
from homing.files.locks import hold_lock_within, share_lock
from homing.images.limits import shown

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

REPAIR = "if its files are damaged, 'homing repair' goes back to the newest version that is whole"

_ATTEMPTS = 5  # to open the newest version
_PATIENCE = 5.0  # seconds that other writers get to finish their commits
_IN_FLIGHT = datetime.timedelta(hours=1)  # longest commit assumed where no lock exists

# Held by the one thread of this process that writes. Others would take up the few threads of Lance,
# in which they wait for the lock of a commit, and which that commit needs.
_WRITING = threading.RLock()

# Bounds on Lance's caches: by default they take several gigabytes.
_INDEX_CACHE, _METADATA_CACHE = 256 << 20, 128 << 20


class VersionedDataset:
    """A dataset at one version; a write moves on to the version that it makes."""

    def __init__(
        self,
        dataset: lance.LanceDataset,
        path: Location,
        *,
        commits: DiskCommits | None = None,
        pinned: bool = False,
    ):
        self._dataset = dataset
        self._commits = commits  # None in an object store, which is durable by itself
        self._pinned = pinned
        self._holding = False
        self.path = path

    @classmethod
    def open(cls, path: Location, *, version: int | None = None, sync: bool = True) -> Self:
        """Open the newest version, or an earlier one, which is read-only.

        Without `sync`, commits return before the disk has them.
        """
        if version is not None:
            if version not in (known["version"] for known in cls.open(path).versions()):
                raise ArchiveError(
                    f"there is no version {version} of {shown(str(path))}; see 'homing versions'"
                )
            return cls.open_damaged(path, version)
        commits = DiskCommits(path, sync=sync) if isinstance(path, Path) else None
        if isinstance(path, Path):
            with translate_errors(path):
                set_aside_blank(path)
        dataset = _newest(
            path, lambda: lance.dataset(dataset_uri(path), session=_session(), commit_lock=commits)
        )
        return cls(dataset, path, commits=commits)

    @classmethod
    def open_damaged(cls, path: Location, version: int) -> Self:
        """Open a version, read-only, whatever the state of the others."""
        with translate_errors(path):
            dataset = lance.dataset(dataset_uri(path), version=version, session=_session())
        return cls(dataset, path, pinned=True)

    def reopen(self) -> Self:
        """Open it once more, at the same version if this one is pinned to it."""
        sync = self._commits is None or self._commits.sync
        return self.open(self.path, version=self.version if self._pinned else None, sync=sync)

    def pinned(self) -> Self:
        """Return the version in view on a handle of its own, which stays there.

        For threads that may still read when others move on: Lance cannot move a handle to another
        version while it is being read.
        """
        return self.at(self.version)

    def at(self, version: int) -> Self:
        """Return a version that is not yet forgotten, likewise."""
        other = copy.copy(self)
        with translate_errors(self.path):
            other._dataset = self._dataset.checkout_version(version)
        other._pinned = True
        return other

    @property
    def dataset(self) -> lance.LanceDataset:
        """The version in view as Lance's dataset; for modules of the archive only."""
        return self._dataset

    @property
    def version(self) -> int:
        """Number of the version in view."""
        return int(self._dataset.version)

    def versions(self) -> list[dict[str, Any]]:
        """List the versions not yet forgotten: ``version`` and ``created_at``; oldest first."""
        with translate_errors(self.path):
            return [
                {
                    "version": int(known["version"]),
                    "created_at": known["timestamp"].astimezone(datetime.UTC),
                }
                for known in self._dataset.versions()
            ]

    def age(self) -> float:
        """Return the seconds since the newest version was committed."""
        with translate_errors(self.path):
            return time.time() - float(self._dataset.versions()[-1]["timestamp"].timestamp())

    def refresh(self) -> None:
        """Move on to the newest version, unless pinned."""
        if not self._pinned:
            _newest(self.path, self._dataset.checkout_latest)

    def follows_writes(self) -> bool:
        """Return whether it moves on with writes; a pinned version does not."""
        return not self._pinned

    def is_superseded(self) -> bool:
        """Return whether a newer version exists; False where the dataset cannot be reached."""
        try:
            with translate_errors(self.path):
                return int(self._dataset.latest_version) != self.version
        except ArchiveError:
            return False

    def refuse_if_past(self) -> None:
        """Refuse to change an earlier version."""
        if self._pinned:
            raise UsageError(
                f"version {self.version} of {shown(str(self.path))} is an earlier one: it can be "
                "read and exported, but not changed"
            )

    def begin_writing(self) -> None:
        """Move on to the newest version, on which this process's work is to rest.

        It is synced: the process that made it may have been killed before it did. An earlier
        version is refused.
        """
        self.refuse_if_past()
        self.refresh()
        with self._settled():
            pass

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Let no commit happen, with all files of all versions on the disk."""
        with _WRITING, nullcontext() if self._commits is None else self._commits.settled():
            yield

    def retry(self, action: Callable[[], _T]) -> _T:
        """Run an action on the version in view, and again on a newer one if that one is gone.

        A process that compacts removes the files of old versions, perhaps of the one in view. An
        action that fails for another reason fails again, or finds no newer version to try.
        """
        while True:
            version = self.version
            try:
                return action()
            except ArchiveError:
                self.refresh()
                if self.version == version:
                    raise
                _log.debug(
                    "%s: version %d is gone; again with %d", self.path, version, self.version
                )

    def write(self, action: Callable[[], _T]) -> _T:
        """Run an action that commits, from the newest version on, and move on to its result.

        Lance detects conflicts from the versions since the action's own. These must stay until it
        has committed: a process that forgets versions (:meth:`compact`) waits.
        """
        self.refuse_if_past()
        with _WRITING, self.hold_versions():
            self.refresh()
            result = self.retry(action)
            self.refresh()
            self.record_checksums()
        _log.debug("%s: version %d", self.path, self.version)
        return result

    @property
    def checksums(self) -> Checksums:
        """The checksums of its files."""
        return Checksums(self.path)

    def record_checksums(self) -> None:
        """Record the checksums of the files that have none yet."""
        with translate_errors(self.path):
            self.checksums.record(self._dataset)

    def commit(self, operation: Callable[[], _T]) -> _T:
        """Run an operation of Lance as :meth:`write`, with its errors translated."""

        def action() -> _T:
            with translate_errors(self.path):
                return operation()

        return self.write(action)

    @contextmanager
    def hold_versions(self) -> Iterator[None]:
        """Let no process forget versions, or remove the packs of previews that no row names yet.

        Writes within it are under the same lock.
        """
        lock = self._lock
        if lock is None or self._holding:
            yield
            return
        with share_lock(lock):
            self._holding = True
            try:
                yield
            finally:
                self._holding = False

    @property
    def _lock(self) -> Path | None:
        """File by which writers hold the versions they need; None in an object store."""
        return _lock_of(self.path) if isinstance(self.path, Path) else None

    def compact(
        self,
        keep: datetime.timedelta = datetime.timedelta(0),
        sweep: Callable[[datetime.timedelta], None] | None = None,
    ) -> dict[str, int]:
        """Merge small files, drop removed rows and forget versions older than `keep`.

        Files to be merged must be as they were written: damage would become part of new files,
        whose checksums are right. In an object store, and while others write all the time, versions
        of the last hour stay: a commit in flight may need them. `sweep` is then called with that
        hour, or with no time if no commit can be in flight: it removes what no version refers to
        and is older. So are the table's own files that killed writers have left; while others
        write, Lance removes those of a week ago.
        """

        def merge() -> Any:
            return self._dataset.optimize.compact_files()

        self.refuse_damaged(to_merge=True)
        metrics = self.commit(merge)  # rows that another process has removed are not merged
        lock = self._lock
        with nullcontext(False) if lock is None else hold_lock_within(lock, _PATIENCE) as alone:
            settled = datetime.timedelta(0) if alone else _IN_FLIGHT
            older = max(keep, settled)
            # Nothing goes before what replaces it is on the disk.
            with translate_errors(self.path), self._settled():
                cleaned = self._dataset.cleanup_old_versions(
                    older_than=older, delete_unverified=False
                )
                self._dataset.checkout_latest()
                left = self._remove_unnamed() if alone else 0
                self.checksums.renew(self._dataset)
            if sweep is not None:
                sweep(settled)
        return {
            "files_removed": int(metrics.files_removed),
            "files_added": int(metrics.files_added),
            "bytes_freed": int(cleaned.bytes_removed) + left,
        }

    def _remove_unnamed(self) -> int:
        """Remove the local files that no version names; return their bytes."""
        assert isinstance(self.path, Path)
        removed = 0
        for file in unnamed_files(self._dataset, self.path):
            removed += file.stat().st_size
            file.unlink()
            with suppress(OSError):  # another file is there
                file.parent.rmdir()
        return removed

    def refuse_damaged(self, *, to_merge: bool = False) -> None:
        """Refuse to write rows anew from files of which one is damaged: all, or those to merge."""
        with translate_errors(self.path):
            fragments = [each.metadata for each in self._dataset.get_fragments()]
            if to_merge:
                tasks = Compaction.plan(self._dataset, CompactionOptions()).tasks
                fragments = [fragment for task in tasks for fragment in task.fragments]
            names = {f"data/{file.path}" for each in fragments for file in each.files}
            numbers = {str(fragment.id) for fragment in fragments}
            paths = tracked_files(self._dataset, self.version)
        removed = {path for path in paths if _deletions_of(path) in numbers}
        for each in self.checksums.damaged(names | removed):
            raise ArchiveError(f"nothing is written: {each}; see 'homing verify'")


def _session() -> lance.Session:
    return lance.Session(
        index_cache_size_bytes=_INDEX_CACHE, metadata_cache_size_bytes=_METADATA_CACHE
    )


@contextmanager
def hold_alone(path: Path) -> Iterator[None]:
    """Let no other process write to a local table; UsageError if one does."""
    with hold_lock_within(_lock_of(path), _PATIENCE) as alone:
        if not alone:
            raise UsageError(f"another process writes to {shown(path)}; wait for it, or end it")
        yield


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def _deletions_of(path: str) -> str | None:
    """Return the number of the fragment whose removed rows a file lists; None if it is another."""
    folder, _, name = path.partition("/")
    return name.partition("-")[0] if folder == "_deletions" else None


def dataset_uri(path: Location) -> str:
    """Return a path as Lance takes it: as UTF-8, whatever encoding the system's names have."""
    if isinstance(path, ObjectStorePath):
        return path.uri
    if ":" in "".join(path.parts[:1]):  # of a relative path, Lance would take it for a scheme
        path = path.absolute()
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise ArchiveError(f"the path {shown(path)!r} is not UTF-8; choose another") from None


def _newest(path: Location, read: Callable[[], _T]) -> _T:
    """Read the newest version, several times if need be.

    Between finding its number and reading it, another process may commit a newer one and compact,
    which removes the version found.
    """
    for left in reversed(range(_ATTEMPTS)):
        try:
            with translate_errors(path):
                return read()
        except ArchiveError as error:
            if left and not (isinstance(path, Path) and not path.exists()):
                continue
            if isinstance(path, Path) and (versions := list(manifests(path))):
                raise ArchiveError(f"version {versions[0]}: {error}; {REPAIR}") from error
            raise
    raise AssertionError


@contextmanager
def translate_errors(path: Location) -> Iterator[None]:
    """Turn what Lance raises into an ArchiveError that names the table."""
    try:
        yield
    except BaseException as error:
        if not (isinstance(error, (*LANCE_ERRORS, pa.ArrowException)) or is_panic(error)):
            raise
        if isinstance(path, Path) and not path.exists():
            raise ArchiveError(
                f"there is no table at {shown(path)}; was the archive moved or removed?"
            ) from error
        raise ArchiveError(
            f"the table at {shown(str(path))} cannot be read or written: {reason_of(error)}"
        ) from error
