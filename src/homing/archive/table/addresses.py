"""Addresses of rows in Lance's fragments, held as runs of consecutive ones.

Rows scanned one after the other nearly always have consecutive addresses, so that a million of them
take a few runs, where an address for each would take 8 MB.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homing.archive.table.lance_internals import FRAGMENT_SHIFT
from homing.archive.table.table import Table
from homing.archive.table.versions import translate_errors


@dataclass(frozen=True)
class Runs:
    """`count` rows in scan order, as r runs of consecutive addresses."""

    starts: NDArray[np.int64]  # (r,): position of each run's first row in scan order, ascending
    firsts: NDArray[np.uint64]  # (r,): address of that row
    count: int

    @classmethod
    def of(cls, addresses: NDArray[np.uint64]) -> "Runs":
        """Find the runs in one address per row."""
        begins = np.ones(len(addresses), dtype=bool)
        begins[1:] = addresses[1:] != addresses[:-1] + np.uint64(1)
        starts = np.flatnonzero(begins).astype(np.int64, copy=False)
        return cls(starts, addresses[starts], len(addresses))

    @classmethod
    def joined(cls, parts: "Sequence[Runs]") -> "Runs":
        """Join parts that follow one another; a run may continue across them."""
        before = np.cumsum([0, *(part.count for part in parts)])
        none = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.uint64)]
        shifted = [part.starts + first for part, first in zip(parts, before[:-1], strict=True)]
        starts = np.concatenate(none[0] + shifted)
        firsts = np.concatenate(none[1] + [part.firsts for part in parts])
        begins = np.ones(len(starts), dtype=bool)
        begins[1:] = np.diff(firsts) != np.diff(starts).astype(np.uint64)
        return cls(starts[begins], firsts[begins], int(before[-1]))

    def numbers(self, addresses: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Positions in scan order of rows whose addresses are in the runs."""
        order = np.argsort(self.firsts)
        run = order[np.searchsorted(self.firsts[order], addresses, side="right") - 1]
        row_in_run = (addresses - self.firsts[run]).astype(np.int64)
        positions: NDArray[np.int64] = self.starts[run] + row_in_run
        return positions

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Count of rows of each run."""
        return np.diff(self.starts, append=self.count)

    def split(self, borders: NDArray[np.uint64]) -> "Runs":
        """End runs before the addresses `borders`, which ascend; the rows are the same."""
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
    """Return whether all of these fragments are in the version in view."""
    return set(numbers) <= removed_rows(table).keys()


def removed_rows(table: Table) -> dict[int, int]:
    """Count the removed rows of each fragment, in scan order.

    A fragment never changes otherwise: with the same count its rows are the same.
    """
    with translate_errors(table.path):
        return {f.fragment_id: int(f.num_deletions) for f in table.dataset.get_fragments()}


def read_runs(table: Table) -> Runs:
    """Find the runs of all rows; only fragments with removed rows are scanned."""
    parts = []
    with translate_errors(table.path):
        for fragment in table.dataset.get_fragments():
            if fragment.num_deletions:
                batches = table.batches([], addresses=True, fragments=[fragment.fragment_id])
                parts += [Runs.of(batch.column("_rowaddr").to_numpy()) for batch in batches]
            elif fragment.physical_rows:
                first = np.array([fragment.fragment_id << FRAGMENT_SHIFT], dtype=np.uint64)
                parts.append(Runs(np.zeros(1, np.int64), first, fragment.physical_rows))
    return Runs.joined(parts)


def fragment_files(table: Table) -> dict[int, tuple[str, ...]]:
    """Name the data files of each fragment: rows of equal files are equal, but for removed ones."""
    with translate_errors(table.path):
        fragments = table.dataset.get_fragments()
        return {f.fragment_id: tuple(file.path for file in f.data_files()) for f in fragments}


def stored_bytes(table: Table) -> int:
    """Sum the bytes of the rows and indexes of the version in view."""
    with translate_errors(table.path):
        files = [f for part in table.dataset.get_fragments() for f in part.data_files()]
        indexes = table.dataset.describe_indices()
    return sum(file.file_size_bytes or 0 for file in files) + sum(
        index.total_size_bytes or 0 for index in indexes
    )
