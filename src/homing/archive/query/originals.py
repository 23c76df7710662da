"""Where the pictures of entries may lie."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from homing.archive.table.location import Location, resolve_place
from homing.archive.table.table import Table
from homing.files.durable import file_sha256
from homing.images import shown


class Finder(Protocol):
    """Knows where pictures of entries lie."""

    def find(self, id: str) -> Path | str:  # noqa: A002 - the column's name
        """File of an entry, or why there is none at hand."""


@dataclass(frozen=True)
class Places:
    """Files of some entries, as they were found: what another process can be told.

    Attributes
    ----------
    found : mapping of str to Path or str
        By id, the file, or why there is none.
    """

    found: Mapping[str, Path | str]

    def find(self, id: str) -> Path | str:  # noqa: A002 - the column's name
        """File of an entry, or why there is none at hand."""
        return self.found[id]


@dataclass(frozen=True)
class Sources:
    """Where pictures of entries may lie.

    Attributes
    ----------
    table : Table
    archive : Path or ObjectStorePath
        Folder that recorded places are relative to.
    folders : sequence of Path
        In which an entry's id is a path.
    """

    table: Table
    archive: Location
    folders: Sequence[Path] = ()

    def find(self, id: str) -> Path | str:  # noqa: A002 - the column's name
        """File of an entry, by its checksum the one recorded; or why there is none at hand."""
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
        """Look for the files of some entries now."""
        return Places({id: self.find(id) for id in ids})  # noqa: A001 - the column's name
