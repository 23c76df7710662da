"""One Lance dataset at one version: opening, moving on, committing and forgetting versions.

Versions must not be forgotten under a commit that began before them: Lance then sees no conflict,
and a compaction brings back the rows that another process has removed meanwhile (seen with Lance
14). Writers therefore share a lock, and a process that forgets versions holds it alone.
"""

import copy
import datetime
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Self, TypeVar

import lance
import pyarrow as pa

from homing.archive.table.lance_internals import LANCE_ERRORS, reason_of
from homing.archive.table.location import Location, ObjectStorePath
from homing.errors import ArchiveError, UsageError
from homing.files.locks import hold_lock_within, share_lock
from homing.images.limits import shown

_T = TypeVar("_T")

_ATTEMPTS = 5  # to open the newest version
_PATIENCE = 5.0  # seconds that other writers get to finish their commits
_IN_FLIGHT = datetime.timedelta(hours=1)  # longest commit assumed where no lock exists

# Bounds on Lance's caches: by default they take several gigabytes.
_INDEX_CACHE, _METADATA_CACHE = 256 << 20, 128 << 20


class VersionedDataset:
    """A dataset at one version; a write moves on to the version that it makes."""

    def __init__(self, dataset: lance.LanceDataset, path: Location, *, pinned: bool = False):
        self._dataset = dataset
        self._pinned = pinned
        self._holding = False
        self.path = path

    @classmethod
    def open(cls, path: Location, *, version: int | None = None) -> Self:
        """Open the newest version, or an earlier one, which is read-only."""
        uri = dataset_uri(path)
        session = lance.Session(
            index_cache_size_bytes=_INDEX_CACHE, metadata_cache_size_bytes=_METADATA_CACHE
        )
        if version is None:
            return cls(_newest(path, lambda: lance.dataset(uri, session=session)), path)
        newest = cls.open(path)
        if version not in (known["version"] for known in newest.versions()):
            raise ArchiveError(
                f"there is no version {version} of {shown(str(path))}; see 'homing versions'"
            )
        with translate_errors(path):
            return cls(lance.dataset(uri, version=version, session=session), path, pinned=True)

    def reopen(self) -> Self:
        """Open it once more, at the same version if this one is pinned to it."""
        return self.open(self.path, version=self.version if self._pinned else None)

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

    def write(self, action: Callable[[], _T]) -> _T:
        """Run an action that commits, from the newest version on, and move on to its result.

        Lance detects conflicts from the versions since the action's own. These must stay until it
        has committed: a process that forgets versions (:meth:`compact`) waits.
        """
        self.refuse_if_past()
        with self.hold_versions():
            self.refresh()
            result = self.retry(action)
            self.refresh()
        return result

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
        return self.path.with_suffix(".lock") if isinstance(self.path, Path) else None

    def compact(
        self,
        keep: datetime.timedelta = datetime.timedelta(0),
        sweep: Callable[[datetime.timedelta], None] | None = None,
    ) -> dict[str, int]:
        """Merge small files, drop removed rows and forget versions older than `keep`.

        In an object store, and while others write all the time, versions of the last hour stay: a
        commit in flight may need them. `sweep` is then called with that hour, or with no time if no
        commit can be in flight: it removes what no version refers to and is older.
        """

        def merge() -> Any:
            return self._dataset.optimize.compact_files()

        metrics = self.commit(merge)  # rows that another process has removed are not merged
        lock = self._lock
        with nullcontext(False) if lock is None else hold_lock_within(lock, _PATIENCE) as alone:
            settled = datetime.timedelta(0) if alone else _IN_FLIGHT
            older = max(keep, settled)
            with translate_errors(self.path):
                cleaned = self._dataset.cleanup_old_versions(
                    older_than=older, delete_unverified=False
                )
                self._dataset.checkout_latest()
            if sweep is not None:
                sweep(settled)
        return {
            "files_removed": int(metrics.files_removed),
            "files_added": int(metrics.files_added),
            "bytes_freed": int(cleaned.bytes_removed),
        }


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
        except ArchiveError:
            if not left or (isinstance(path, Path) and not path.exists()):
                raise
    raise AssertionError


@contextmanager
def translate_errors(path: Location) -> Iterator[None]:
    """Turn what Lance raises into an ArchiveError that names the table."""
    try:
        yield
    except (*LANCE_ERRORS, pa.ArrowException) as error:
        if isinstance(path, Path) and not path.exists():
            raise ArchiveError(
                f"there is no table at {shown(path)}; was the archive moved or removed?"
            ) from error
        raise ArchiveError(
            f"the table at {shown(str(path))} cannot be read or written: {reason_of(error)}"
        ) from error
