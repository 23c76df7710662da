"""Stored vectors by their place, quickly: mapped from Lance's files where they lie there plainly.

Lance keeps a column of wide fixed-size values without nulls as plain consecutive bytes ("full zip"
pages without repetition or definition levels). Those pages are mapped into memory, so that fetching
thousands of vectors costs what copying them costs and holds no memory. Where the layout is another,
or a sample does not agree with what Lance itself reads, vectors are read through Lance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lance.file import LanceFileReader
from numpy.typing import NDArray

from homing.archive.record import Record

__all__ = ["StoredVectors"]

_SAMPLE = 32


@dataclass(frozen=True)
class _Page:
    first: int  # address of its first row: fragment number << 32 | row in fragment
    values: NDArray[np.float16]  # (rows, D), mapped


class StoredVectors:
    """The vectors of a record's rows.

    Parameters
    ----------
    record : Record
        The record, at the version that `addresses` belongs to.
    addresses : array (n,), uint64
        Where each row lies, in the order of the scan.
    """

    def __init__(self, record: Record, addresses: NDArray[np.uint64]) -> None:
        self._record = record
        self._addresses = addresses
        self.dimension = int(record.schema.field("vector").type.list_size)
        pages = _plain_pages(record, self.dimension)
        self._pages = pages if self._agrees(pages) else []
        self._firsts = np.array([page.first for page in self._pages], dtype=np.uint64)

    @property
    def mapped(self) -> bool:
        """Whether the vectors are read from mapped memory."""
        return bool(self._pages)

    def take(self, positions: NDArray[np.int64]) -> NDArray[np.float16]:
        """Vectors of the rows at those positions; anything for the position −1.

        Parameters
        ----------
        positions : array of any shape, int64

        Returns
        -------
        array of that shape and D more, float16
        """
        flat = np.maximum(positions.ravel(), 0)
        if len(self._addresses) == 0:
            taken = np.zeros((flat.size, self.dimension), dtype=np.float16)
        elif self._pages:
            taken = self._take_mapped(flat, self._pages, self._firsts)
        else:
            taken = self._take_read(flat)
        return taken.reshape(*positions.shape, self.dimension)

    def _take_mapped(
        self, positions: NDArray[np.int64], pages: Sequence[_Page], firsts: NDArray[np.uint64]
    ) -> NDArray[np.float16]:
        addresses = self._addresses[positions]
        page_of = np.searchsorted(firsts, addresses, side="right") - 1
        rows = (addresses - firsts[page_of]).astype(np.int64)
        taken = np.empty((positions.size, self.dimension), dtype=np.float16)
        for number in np.unique(page_of):
            here = page_of == number
            taken[here] = pages[number].values[rows[here]]
        return taken

    def _take_read(self, positions: NDArray[np.int64]) -> NDArray[np.float16]:
        unique, inverse = np.unique(positions, return_inverse=True)
        column = self._record.take(unique.tolist(), ["vector"]).column("vector").combine_chunks()
        values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(unique), -1)
        taken: NDArray[np.float16] = values[inverse]
        return taken

    def _agrees(self, pages: Sequence[_Page]) -> bool:
        """Whether every row lies in a page, and a sample of rows reads the same through Lance."""
        count = len(self._addresses)
        if not pages or count == 0:
            return False
        firsts = np.array([page.first for page in pages], dtype=np.uint64)
        page_of = np.searchsorted(firsts, self._addresses, side="right").astype(np.int64) - 1
        lengths = np.array([len(page.values) for page in pages], dtype=np.uint64)
        if page_of.min() < 0 or np.any(self._addresses - firsts[page_of] >= lengths[page_of]):
            return False
        sample = np.unique(np.linspace(0, count - 1, min(count, _SAMPLE)).astype(np.int64))
        return np.array_equal(self._take_mapped(sample, pages, firsts), self._take_read(sample))


def _plain_pages(record: Record, dimension: int) -> list[_Page]:
    """Pages of all data files, by address; empty as soon as one is not plain."""
    pages: list[_Page] = []
    for fragment, path, column in record.data_files("vector"):
        found = _pages_of_file(path, column, dimension, fragment << 32)
        if found is None:
            return []
        pages.extend(found)
    return sorted(pages, key=lambda page: page.first)


def _pages_of_file(path: Path, column: int, dimension: int, first: int) -> list[_Page] | None:
    width = 2 * dimension
    pages = []
    for page in LanceFileReader(str(path)).metadata().columns[column].pages:
        plain = all(t in page.encoding for t in ("FullZipLayout", "bits_rep: 0", "bits_def: 0"))
        if not plain or len(page.buffers) != 1 or page.buffers[0].size % width:
            return None
        buffer = page.buffers[0]
        rows = buffer.size // width
        mapped = np.memmap(path, np.float16, "r", offset=buffer.position, shape=(rows, dimension))
        pages.append(_Page(first, mapped.view(np.ndarray)))
        first += rows
    return pages
