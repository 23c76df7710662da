"""Where the rows of a table lie: Lance's fragments, their files, and addresses in them.

A row has an address in Lance's files: the number of its fragment << 32, and its row there. Rows
scanned one after the other nearly always lie one after the other, so that a million of them take a
few ranges, where a number for each would take 8 MB.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homing.archive.table.table import Table, translated


@dataclass(frozen=True)
class Runs:
    """Rows in the order of the scan, as runs of consecutive addresses.

    Attributes
    ----------
    starts : array (r,), int64
        Number of each run's first row; ascending.
    firsts : array (r,), uint64
        Address of that row.
    count : int
        How many rows there are in all.
    """

    starts: NDArray[np.int64]
    firsts: NDArray[np.uint64]
    count: int

    @classmethod
    def of(cls, addresses: NDArray[np.uint64]) -> "Runs":
        """Runs of rows whose addresses are given one by one."""
        begins = np.ones(len(addresses), dtype=bool)
        begins[1:] = addresses[1:] != addresses[:-1] + np.uint64(1)
        starts = np.flatnonzero(begins).astype(np.int64, copy=False)
        return cls(starts, addresses[starts], len(addresses))

    @classmethod
    def joined(cls, parts: "Sequence[Runs]") -> "Runs":
        """Runs of parts that follow one another; a run goes on across them."""
        before = np.cumsum([0, *(part.count for part in parts)])
        none = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.uint64)]
        shifted = [part.starts + first for part, first in zip(parts, before[:-1], strict=True)]
        starts = np.concatenate(none[0] + shifted)
        firsts = np.concatenate(none[1] + [part.firsts for part in parts])
        begins = np.ones(len(starts), dtype=bool)
        begins[1:] = np.diff(firsts) != np.diff(starts).astype(np.uint64)
        return cls(starts[begins], firsts[begins], int(before[-1]))

    def numbers(self, addresses: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Numbers, in the order of the scan, of rows whose addresses are among the runs'."""
        order = np.argsort(self.firsts)
        run = order[np.searchsorted(self.firsts[order], addresses, side="right") - 1]
        found: NDArray[np.int64] = self.starts[run] + (addresses - self.firsts[run]).astype(
            np.int64
        )
        return found

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many rows each run has."""
        return np.diff(self.starts, append=self.count)

    def split(self, borders: NDArray[np.uint64]) -> "Runs":
        """The same rows, with no run across a border.

        Parameters
        ----------
        borders : array (b,), uint64
            Addresses before which a run ends; ascending.
        """
        if not len(self.starts):
            return self
        last = self.firsts + self.lengths.astype(np.uint64) - np.uint64(1)
        lowest = np.searchsorted(borders, self.firsts, side="right")  # borders behind its start
        pieces = np.searchsorted(borders, last, side="right") - lowest + 1
        run = np.repeat(np.arange(len(pieces)), pieces)
        number = np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        firsts = self.firsts[run]
        further = number > 0
        firsts[further] = borders[(lowest[run] + number - 1)[further]]
        starts = self.starts[run] + (firsts - self.firsts[run]).astype(np.int64)
        return Runs(starts, firsts, self.count)


def has_fragments(table: Table, numbers: Iterable[int]) -> bool:
    """Whether all of those fragments are in the version in view."""
    return set(numbers) <= removed_rows(table).keys()


def removed_rows(table: Table) -> dict[int, int]:
    """How many rows of each fragment have been removed, in the order of the scan.

    A fragment never changes otherwise: with as many removed as before it holds what it held.
    """
    with translated(table.path):
        return {f.fragment_id: int(f.num_deletions) for f in table.dataset.get_fragments()}


def runs_of(table: Table) -> Runs:
    """Where the rows lie; scanned only where some of a file's rows have been removed."""
    parts = []
    with translated(table.path):
        for fragment in table.dataset.get_fragments():
            if fragment.num_deletions:
                batches = table.batches([], addresses=True, fragments=[fragment.fragment_id])
                parts += [Runs.of(batch.column("_rowaddr").to_numpy()) for batch in batches]
            elif fragment.physical_rows:
                first = np.array([fragment.fragment_id << 32], dtype=np.uint64)
                parts.append(Runs(np.zeros(1, np.int64), first, fragment.physical_rows))
    return Runs.joined(parts)


def bytes_taken(table: Table) -> int:
    """Bytes of the rows and indexes of the version in view."""
    with translated(table.path):
        files = [f for part in table.dataset.get_fragments() for f in part.data_files()]
        indexes = table.dataset.describe_indices()
    return sum(file.file_size_bytes or 0 for file in files) + sum(
        index.total_size_bytes or 0 for index in indexes
    )


def data_files(table: Table, column: str) -> Iterator[tuple[int, Path, int]]:
    """Where a column lies: fragment number, data file, and the column's place in that file.

    Nothing in an object store, where no file can be mapped.
    """
    if not isinstance(table.path, Path):
        return
    number = table.dataset.lance_schema.field(column).id()
    for fragment in table.dataset.get_fragments():
        for file in fragment.data_files():
            if number in file.fields:
                place = file.column_indices[list(file.fields).index(number)]
                yield fragment.fragment_id, table.path / "data" / file.path, place
