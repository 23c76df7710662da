"""Damaged versions of a table: why one cannot be read, what of it can be, and its mending."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import lance
import pyarrow as pa
from lance.fragment import write_fragments

from homing.archive.table.checksums import Checksums
from homing.archive.table.disk import DiskCommits
from homing.archive.table.table import Table
from homing.archive.table.versions import translate_errors
from homing.errors import ArchiveError

_AT_ONCE, _LEAST = 4096, 64  # rows read together, and left out together


class Damage:
    """Damage of the fragments of a local table; each is read once for all versions."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self._found: dict[tuple[str, ...], str | None] = {}

    def of_version(self, version: int) -> str | None:
        """Return why a version is not whole; None if it is."""
        try:
            with translate_errors(self._table):
                fragments = Table.open_damaged(self._table, version).dataset.get_fragments()
        except ArchiveError as error:
            return str(error)
        reasons = (self.of_fragment(fragment) for fragment in fragments)
        return next((reason for reason in reasons if reason is not None), None)

    def of_fragment(self, fragment: Any) -> str | None:
        """Return why a fragment is not whole; None if it is.

        Lance reads none that is damaged by its checksum: it may end the process.
        """
        files = tuple(_files(fragment))
        if files not in self._found:
            self._found[files] = self.of_files(files) or self._read(fragment)
        return self._found[files]

    def of_files(self, files: Sequence[str]) -> str | None:
        """Return which of some files is lost, empty or not as it was written; None if none is."""
        for name in files:
            place = self._table / name
            if not place.exists():
                return f"{name} is lost"
            if not place.stat().st_size:
                return f"{name} is empty"
            if f"{self._table.name}/{name}" in self._rotten:
                return f"{name} is damaged: its checksum differs"
        return None

    @cached_property
    def _rotten(self) -> set[str]:
        return {each.path for each in Checksums(self._table).damaged()}

    def _read(self, fragment: Any) -> str | None:
        rows = fragment.physical_rows - fragment.num_deletions
        try:
            with translate_errors(self._table):
                found = sum(batch.num_rows for batch in fragment.to_batches())
        except ArchiveError as error:
            return str(error)
        return None if found == rows else f"{found} of its {rows} entries are there"


@dataclass
class Loss:
    """Rows that a scan of a damaged version has left out, and those of damaged files."""

    rows: int = 0  # left out
    ids: list[str] = field(default_factory=list)  # of these, where they can be read
    doubtful: list[str] = field(default_factory=list)  # ids read from files with other checksums


class DamagedTable(Table):
    """A version of which some rows cannot be read: scans leave them out.

    Attributes
    ----------
    loss : Loss
        That of the last scan.
    """

    damage: Damage
    loss: Loss

    @classmethod
    def of(cls, path: Path, version: int, damage: Damage) -> Self:
        """Open a version whose list of files can be read."""
        table = cls.open_damaged(path, version)
        table.damage, table.loss = damage, Loss()
        return table

    def batches(
        self,
        columns: Sequence[str],
        *,
        condition: str | None = None,
        addresses: bool = False,
        fragments: Sequence[int] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Scan columns of all rows that can be read; two of the arguments have no meaning here."""
        del condition, addresses
        self.loss = Loss()
        for fragment in self.dataset.get_fragments():
            if fragments is not None and fragment.fragment_id not in fragments:
                continue
            rows = fragment.physical_rows - fragment.num_deletions
            is_whole = self.damage.of_fragment(fragment) is None
            for first in range(0, rows, _AT_ONCE):
                for batch in self._read(fragment, columns, first, min(_AT_ONCE, rows - first)):
                    if not is_whole and "id" in columns:
                        self.loss.doubtful += batch.column("id").to_pylist()
                    yield batch

    def damaged_fragments(self) -> list[int]:
        """Return the numbers of the fragments that are not whole."""
        fragments = self.dataset.get_fragments()
        return [f.fragment_id for f in fragments if self.damage.of_fragment(f) is not None]

    def mend(self) -> None:
        """Commit a version in which what can be read of damaged fragments stands in new ones.

        The caller holds the table alone; its newest version is in view.
        """
        damaged, columns = self.damaged_fragments(), self.dataset.schema.names
        rows = pa.RecordBatchReader.from_batches(
            self.dataset.schema, self.batches(columns, fragments=damaged)
        )
        assert isinstance(self.path, Path)
        with translate_errors(self.path):
            new = write_fragments(rows, self.dataset, schema=self.dataset.schema)
            operation = lance.LanceOperation.Update(
                removed_fragment_ids=damaged, new_fragments=[f for f in new if f.physical_rows]
            )
            lance.LanceDataset.commit(
                self.dataset,
                operation,
                read_version=self.version,
                commit_lock=DiskCommits(self.path),
            )

    def _read(
        self, fragment: Any, columns: Sequence[str], first: int, count: int
    ) -> Iterator[pa.RecordBatch]:
        if (found := self._scan(fragment, columns, first, count)) is not None:
            yield from found
        elif count <= _LEAST:
            self.loss.rows += count
            for batch in self._scan(fragment, ["id"], first, count) or ():
                self.loss.ids += batch.column("id").to_pylist()
        else:
            half = count // 2
            yield from self._read(fragment, columns, first, half)
            yield from self._read(fragment, columns, first + half, count - half)

    def _scan(
        self, fragment: Any, columns: Sequence[str], first: int, count: int
    ) -> list[pa.RecordBatch] | None:
        """Read rows of a fragment; None if they cannot be read, or not all."""
        deletions = _files(fragment, data=False)  # a damaged one would bring removed rows back
        if not all(map(self._is_there, _files(fragment))) or self.damage.of_files(deletions):
            return None
        try:
            with translate_errors(self.path):
                scanner = fragment.scanner(columns=list(columns), offset=first, limit=count)
                table = scanner.to_table()
        except ArchiveError:
            return None
        batches: list[pa.RecordBatch] = table.combine_chunks().to_batches()
        return batches if table.num_rows == count else None

    def _is_there(self, name: str) -> bool:
        assert isinstance(self.path, Path)
        place = self.path / name
        return place.exists() and place.stat().st_size > 0


def _files(fragment: Any, *, data: bool = True) -> list[str]:
    """Return the files of a fragment, relative to the table: of its rows, and of removed ones."""
    files = [f"data/{file.path}" for file in fragment.data_files()] if data else []
    deletions = fragment.deletion_file()
    return files if deletions is None else [*files, str(deletions)]
