"""Checksums of a table's files: what rots on the disk is seen.

::

    ARCHIVE/checksums/VERSION-DIGEST.json    SHA-256 of the files that came with a commit
    ARCHIVE/checksums/NAME.DIGEST            that of a codebook beside the table, in its name alone

Lance's files never change once written. After each commit the process that made it records the
SHA-256 of the files that no recorded version has: of all versions since, so that the files of a
process that was killed before it could do so get theirs with the next commit. VERSION is the newest
of them, and so outlives its own manifest; DIGEST is the start of the SHA-256 of the record's bytes.
No two writers write one file, unless it is the same.
"""

import hashlib
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from homing.archive.table.location import Location, read_whole, write_whole
from homing.files.durable import file_sha256, sync_folder

if TYPE_CHECKING:
    import lance

_FOLDER = "checksums"
_NAME = re.compile(r"(\d{8,})-([0-9a-f]{32})\.json")
_DIGITS = 32
_CODEBOOK = ".safetensors"
_FORMAT = 1
_MANIFESTS = "_versions/"
_ROWS = ("data/", "_deletions/")


@dataclass(frozen=True)
class DamagedFile:
    """A file of a table that is not as it was written."""

    path: str  # relative to the archive
    reason: str

    def __str__(self) -> str:
        """Say what is wrong, and what to do."""
        return f"{self.path} {self.reason}"


@dataclass(frozen=True)
class Checksums:
    """The checksums of a table's files, in files beside the table."""

    table: Location

    def newest(self) -> int:
        """Return the newest version that was recorded; 0 if none was."""
        return max(map(_version_of, self._names()), default=0)

    def record(self, dataset: "lance.LanceDataset") -> None:
        """Record the files of the version in view, and of others, that have no checksum yet."""
        newest, view = self.newest(), int(dataset.version)
        since = min(newest, view - 1)
        versions = tracked_files(dataset, since)
        new = {path for path, first in versions.items() if first > since}
        if newest >= view or since not in versions.values():
            # Nothing was committed, or the recorded version is forgotten, or it is lost and
            # another has its number and its manifest's name.
            known = self._held().known
            new = {path for path in new if path not in known or self._is_another(path, known[path])}
        digests = {path: self.digest(path) for path in sorted(new)}
        # In an object store another process may remove files of old versions meanwhile.
        files = {path: digest for path, digest in digests.items() if digest is not None}
        if files:
            self._write(max(versions.values()), files)

    def record_beside(self, name: str) -> None:
        """Record a file beside the table that never changes."""
        digest = self._digest_of(self.table.parent / name)
        if digest is not None:
            self._put(f"{name}.{digest[:_DIGITS]}", b"")

    def renew(self, dataset: "lance.LanceDataset") -> None:
        """Write one record of the files that versions still have, in place of all others."""
        held = self._held()
        versions = tracked_files(dataset)
        files = {}
        for path in sorted(versions):
            known = held.known.get(path, set())
            digest = next(iter(known)) if len(known) == 1 else self.digest(path)
            if digest is not None:
                files[path] = digest
        kept = self._write(max(versions.values()), files)
        for name in held.names - {kept}:
            self._remove(name)

    def damaged(self, paths: Collection[str] | None = None) -> Iterator[DamagedFile]:
        """Read the files that have a checksum, all or some, and the checksums themselves.

        A file that is gone is none of them: most are removed with the versions that had them.
        """
        held = self._held()
        if paths is None:
            for name in sorted(held.damaged):
                reason = "is damaged; 'homing compact' makes it again"
                yield DamagedFile(f"{_FOLDER}/{name}", reason)
            yield from self._damaged_beside()
        for path in sorted(held.known if paths is None else held.known.keys() & set(paths)):
            found, known = self.digest(path), held.known[path]
            if found is not None and found not in known:
                yield DamagedFile(self._from_archive(path), _damage(path))
            elif found is not None and len(known) > 1:
                reason = "is not the first version of its number: another was recorded, and is lost"
                yield DamagedFile(self._from_archive(path), reason)

    def _damaged_beside(self) -> Iterator[DamagedFile]:
        for record in sorted(self._all_names()):
            name, _, digest = record.rpartition(".")
            if name.endswith(_CODEBOOK):
                found = self._digest_of(self.table.parent / name)
                if found is not None and found[:_DIGITS] != digest:
                    yield DamagedFile(name, _damage(name))

    def unrecorded(self, paths: Iterable[str]) -> set[str]:
        """Return those of some files that have no checksum."""
        return set(paths) - self._held().known.keys()

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 of a file of the table, hexadecimal; None if it is missing."""
        return self._digest_of(self._place(path))

    def _digest_of(self, place: Location) -> str | None:
        try:
            if isinstance(place, Path):
                return file_sha256(place).hex()
            with tempfile.TemporaryDirectory(prefix="homing-") as folder:
                copy = Path(folder) / "file"
                place.fetch(copy)
                return file_sha256(copy).hex()
        except FileNotFoundError:
            return None

    def _from_archive(self, path: str) -> str:
        return f"{self.table.name}/{path}"

    def _is_another(self, path: str, known: Collection[str]) -> bool:
        return path.startswith(_MANIFESTS) and self.digest(path) not in known

    def exists(self, path: str) -> bool:
        """Return whether a file of the table exists."""
        return self._place(path).exists()

    def _place(self, path: str) -> Location:
        place = self.table
        for part in path.split("/"):
            place = place / part
        return place

    @cached_property
    def _folder(self) -> Location:
        return self.table.parent / _FOLDER

    def _names(self) -> list[str]:
        return [name for name in self._all_names() if _NAME.fullmatch(name)]

    def _all_names(self) -> list[str]:
        if not isinstance(self._folder, Path):
            return self._folder.names()
        return [file.name for file in self._folder.iterdir()] if self._folder.exists() else []

    def _held(self) -> "_Held":
        """Read all records; those that another process replaces meanwhile, in their new place."""
        while True:
            names = set(self._names())
            known: defaultdict[str, set[str]] = defaultdict(set)
            damaged = set()
            try:
                for name in names:
                    files = _parse(name, read_whole(self._folder / name))
                    if files is None:
                        damaged.add(name)
                    for path, digest in (files or {}).items():
                        known[path].add(digest)
            except FileNotFoundError:
                continue
            return _Held(names, dict(known), damaged)

    def _write(self, version: int, files: Mapping[str, str]) -> str:
        text = json.dumps({"format": _FORMAT, "version": version, "files": files}, indent=1) + "\n"
        name = f"{version:08}-{_digest(text.encode('ascii'))}.json"
        self._put(name, text.encode("ascii"))
        return name

    def _put(self, name: str, data: bytes) -> None:
        folder = self._folder
        if isinstance(folder, Path) and not folder.exists():
            folder.mkdir(exist_ok=True)  # not those above it: the archive may have been removed
            sync_folder(folder.parent)
        write_whole(folder / name, data)

    def _remove(self, name: str) -> None:
        place = self._folder / name
        if isinstance(place, Path):
            place.unlink(missing_ok=True)
        else:
            place.delete()


@dataclass(frozen=True)
class _Held:
    """Contents of the records."""

    names: set[str]  # of their files
    known: Mapping[str, set[str]]  # digests by path: several where a lost version was made again
    damaged: set[str]  # names


def tracked_files(dataset: "lance.LanceDataset", since: int = 0) -> dict[str, int]:
    """Return the files of all versions from one on, each with the first of these that has it.

    Every version has a manifest of its own, so that the largest of the numbers is the newest's.
    """
    versions: dict[str, int] = {}
    for batch in dataset.tracked_files(min_version=since or None):
        paths, numbers = batch.column("path").to_pylist(), batch.column("version").to_pylist()
        for path, number in zip(paths, numbers, strict=True):
            versions[path] = min(number, versions.get(path, number))
    return versions


def _damage(path: str) -> str:
    if path.startswith("_indices/"):
        return "is damaged: its checksum differs; 'homing index' builds that part again"
    return "is damaged: its checksum differs; put it back from a backup" + (
        ", or keep what can be read by 'homing repair'" if path.startswith(_ROWS) else ""
    )


def _version_of(name: str) -> int:
    return int(name.partition("-")[0])


def _parse(name: str, data: bytes) -> dict[str, str] | None:
    """Read a record; None if it is not the one that its name says."""
    if _digest(data) != name.partition("-")[2].removesuffix(".json"):
        return None
    files: dict[str, str] = json.loads(data)["files"]
    return files


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]
