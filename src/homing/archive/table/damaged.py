"""Damaged versions of a table: why one cannot be read, and what of it can be."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from homing.archive.table.table import Table
from homing.archive.table.versions import translate_errors
from homing.errors import ArchiveError

_AT_ONCE, _LEAST = 4096, 64  # rows read together, and left out together


def reason_against(path: Path, version: int) -> str | None:
    """Read a version whole; None if that is possible, else what is wrong with it."""
    try:
        with translate_errors(path):
            table = Table.open_damaged(path, version)
            rows = sum(batch.num_rows for batch in table.batches(table.dataset.schema.names))
            if rows != len(table):
                return f"{rows} of its {len(table)} entries are there"
    except ArchiveError as error:
        return str(error)
    return None


class DamagedTable(Table):
    """A version of which some rows cannot be read: scans leave them out.

    Attributes
    ----------
    lost : int
        Count of rows that the last scan has left out.
    """

    lost: int = 0

    def batches(
        self,
        columns: Sequence[str],
        *,
        condition: str | None = None,
        addresses: bool = False,
        fragments: Sequence[int] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Scan columns of all rows that can be read; the other arguments have no meaning here."""
        del condition, addresses, fragments
        self.lost = 0
        for fragment in self.dataset.get_fragments():
            rows = fragment.physical_rows - fragment.num_deletions
            if self._has_files(fragment):
                for first in range(0, rows, _AT_ONCE):
                    count = min(_AT_ONCE, rows - first)
                    yield from self._read(fragment, columns, first, count)
            else:
                self.lost += rows

    def _has_files(self, fragment: Any) -> bool:
        assert isinstance(self.path, Path)
        folder = self.path / "data"
        return all(
            (folder / file.path).exists() and (folder / file.path).stat().st_size
            for file in fragment.data_files()
        )

    def _read(
        self, fragment: Any, columns: Sequence[str], first: int, count: int
    ) -> Iterator[pa.RecordBatch]:
        try:
            with translate_errors(self.path):
                scanner = fragment.scanner(columns=list(columns), offset=first, limit=count)
                found = scanner.to_table().combine_chunks().to_batches()
        except ArchiveError:
            if count <= _LEAST:
                self.lost += count
                return
            half = count // 2
            yield from self._read(fragment, columns, first, half)
            yield from self._read(fragment, columns, first + half, count - half)
        else:
            yield from found
