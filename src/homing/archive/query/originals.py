"""Originals: the pictures of entries, found by their checksums."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homing.archive.ids import spellings
from homing.archive.table.location import Location, resolve_place
from homing.archive.table.table import Table
from homing.errors import PictureError
from homing.files.durable import file_sha256
from homing.images import read_bytes, shown
from homing.options import Limits


@dataclass(frozen=True)
class Places:
    """Files of some entries, found in advance: can be sent to another process."""

    files: Mapping[str, Path | str]  # by id, the file, or why there is none

    def find(self, id: str) -> Path | str:  # noqa: A002 - the column's name
        """Return the file of an entry, or why there is none."""
        return self.files[id]


@dataclass(frozen=True)
class FoundFile:
    """A file of an entry, as it was read."""

    data: bytes
    is_source: bool  # the source of a released file, and not the file itself


@dataclass(frozen=True)
class Original:
    """An entry, and the places where its file may be."""

    id: str
    places: Sequence[Path]
    file_sha256: bytes | None  # None: the entry is gone
    source_sha256: bytes | None

    def find(self) -> Path | str:
        """Return the first file that is the entry's or its source, or why there is none."""
        reason = self._reason
        for place in self.places if self.file_sha256 is not None else ():
            try:
                if file_sha256(place) in (self.source_sha256, self.file_sha256):
                    return place
                reason = _is_another(place)
            except OSError as error:
                reason = f"{shown(place)} cannot be read: {error.strerror}"
        return reason

    def read(self, limits: Limits) -> FoundFile:
        """Read the entry's file, or else its source; `PictureError` if there is neither."""
        reason, source = self._reason, None
        for place in self.places if self.file_sha256 is not None else ():
            try:
                data = read_bytes(place, limits=limits)
            except PictureError as error:
                reason = f"{shown(place)}: {error}"
                continue
            digest = hashlib.sha256(data).digest()
            if digest == self.file_sha256:
                return FoundFile(data, is_source=False)
            if digest == self.source_sha256:
                source = source or FoundFile(data, is_source=True)
            reason = _is_another(place)
        if source is None:
            raise PictureError(reason)
        return source

    @property
    def _reason(self) -> str:
        if self.file_sha256 is None:
            return "the entry is gone"
        return "where its file lies is not recorded: name the folder with --files"


def _as_paths(id: str) -> tuple[str, ...]:  # noqa: A002 - the column's name
    """Return the names that a file of an id may have; none can have a zero character."""
    return () if "\0" in id else spellings(id)


def _is_another(place: Path) -> str:
    return (
        f"{shown(place)} has changed since it was recorded (a caption, say), or is another "
        "picture: without a preview of the entry nothing tells; remove the entry and record the "
        "file anew"
    )


@dataclass(frozen=True)
class Sources:
    """Finder of entries' pictures where they were released to, and in folders."""

    table: Table
    archive: Location  # folder that recorded places are relative to
    folders: Sequence[Path] = ()  # an entry's id is a path in them

    def find(self, id: str) -> Path | str:  # noqa: A002 - the column's name
        """Return the file of an entry with the recorded checksum, or why there is none."""
        return self.originals([id])[0].find()

    def places(self, ids: Iterable[str]) -> Places:
        """Find the files of some entries now."""
        return Places({each.id: each.find() for each in self.originals(list(ids))})

    def originals(self, ids: Sequence[str]) -> list[Original]:
        """Return where to look for the files of entries, in one lookup."""
        rows = self.table.lookup(ids, ["file", "source_sha256", "file_sha256"])
        return [
            Original(
                id=name,
                places=(
                    *self._recorded(rows.get(name)),
                    *(folder / form for folder in self.folders for form in _as_paths(name)),
                ),
                file_sha256=rows[name]["file_sha256"] if name in rows else None,
                source_sha256=rows[name]["source_sha256"] if name in rows else None,
            )
            for name in ids
        ]

    def _recorded(self, row: Mapping[str, Any] | None) -> list[Path]:
        """Return where a released file was written."""
        if row is None or row["file"] is None:
            return []
        return [resolve_place(row["file"], self.archive)]
