"""Originals: the pictures of entries, found by their checksums."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from homing.archive.table.location import Location, resolve_place
from homing.archive.table.table import Table
from homing.files.durable import file_sha256
from homing.images import shown


@dataclass(frozen=True)
class Places:
    """Files of some entries, found in advance: can be sent to another process."""

    files: Mapping[str, Path | str]  # by id, the file, or why there is none

    def find(self, id: str) -> Path | str:  # noqa: A002 - the column's name
        """Return the file of an entry, or why there is none."""
        return self.files[id]


@dataclass(frozen=True)
class Sources:
    """Finder of entries' pictures where they were released to, and in folders."""

    table: Table
    archive: Location  # folder that recorded places are relative to
    folders: Sequence[Path] = ()  # an entry's id is a path in them

    def find(self, id: str) -> Path | str:  # noqa: A002 - the column's name
        """Return the file of an entry with the recorded checksum, or why there is none."""
        rows = self.table.lookup([id], ["file", "source_sha256", "file_sha256"])
        if id not in rows:
            return "the entry is gone"
        row = rows[id]
        wanted = {row["source_sha256"], row["file_sha256"]}
        places = [resolve_place(row["file"], self.archive)] if row["file"] is not None else []
        places += [folder / id for folder in self.folders]
        reason = "where its file lies is not recorded: name the folder with --files"
        for place in places:
            try:
                if file_sha256(place) in wanted:
                    return place
                reason = f"{shown(place)} is another picture than the one recorded"
            except OSError as error:
                reason = f"{shown(place)} cannot be read: {error.strerror}"
        return reason

    def places(self, ids: Iterable[str]) -> Places:
        """Find the files of some entries now."""
        return Places({id: self.find(id) for id in ids})  # noqa: A001 - the column's name
