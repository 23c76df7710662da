"""Where the rows of a record lie: Lance's fragments, their files, and addresses in them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from homing.archive.record import Record, translated
from homing.archive.runs import Runs


def has_fragments(record: Record, numbers: Iterable[int]) -> bool:
    """Whether all of those fragments are in the version in view."""
    return set(numbers) <= removed_rows(record).keys()


def removed_rows(record: Record) -> dict[int, int]:
    """How many rows of each fragment have been removed, in the order of the scan.

    A fragment never changes otherwise: with as many removed as before it holds what it held.
    """
    with translated(record.path):
        return {f.fragment_id: int(f.num_deletions) for f in record.dataset.get_fragments()}


def runs_of(record: Record) -> Runs:
    """Where the rows lie; scanned only where some of a file's rows have been removed."""
    parts = []
    with translated(record.path):
        for fragment in record.dataset.get_fragments():
            if fragment.num_deletions:
                batches = record.batches([], addresses=True, fragments=[fragment.fragment_id])
                parts += [Runs.of(batch.column("_rowaddr").to_numpy()) for batch in batches]
            elif fragment.physical_rows:
                first = np.array([fragment.fragment_id << 32], dtype=np.uint64)
                parts.append(Runs(np.zeros(1, np.int64), first, fragment.physical_rows))
    return Runs.joined(parts)


def bytes_taken(record: Record) -> int:
    """Bytes of the rows and indexes of the version in view."""
    with translated(record.path):
        files = [f for part in record.dataset.get_fragments() for f in part.data_files()]
        indexes = record.dataset.describe_indices()
    return sum(file.file_size_bytes or 0 for file in files) + sum(
        index.total_size_bytes or 0 for index in indexes
    )


def data_files(record: Record, column: str) -> Iterator[tuple[int, Path, int]]:
    """Where a column lies: fragment number, data file, and the column's place in that file.

    Nothing in an object store, where no file can be mapped.
    """
    if not isinstance(record.path, Path):
        return
    number = record.dataset.lance_schema.field(column).id()
    for fragment in record.dataset.get_fragments():
        for file in fragment.data_files():
            if number in file.fields:
                place = file.column_indices[list(file.fields).index(number)]
                yield fragment.fragment_id, record.path / "data" / file.path, place
