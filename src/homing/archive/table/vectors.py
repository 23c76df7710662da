"""Stored vectors by position, mapped from Lance's files where they are plain bytes there.

Fetching thousands of mapped vectors costs only the copy and holds no memory. Where files have
another layout, are in an object store, or a sample differs from what Lance itself reads, vectors
are read through Lance.
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from homing.archive.table.addresses import Runs
from homing.archive.table.lance_internals import HALF, Page, plain_pages
from homing.archive.table.table import Table
from homing.archive.table.versions import translate_errors
from homing.search.ranking import similarities

if TYPE_CHECKING:
    from homing.search.products import Rows

_SAMPLE = 32


class StoredVectors:
    """The vectors of a table's rows, which lie at `runs` in the version in view."""

    def __init__(self, table: Table, runs: Runs) -> None:
        self._table = table
        self._count = runs.count
        self.dimension = int(table.schema.field("vector").type.list_size)
        mapping = None
        if isinstance(table.path, Path):  # an object store's files cannot be mapped
            with translate_errors(table.path):  # another process may have compacted the files away
                pages = plain_pages(table.dataset, table.path, self.dimension)
                mapping = _map_pages(pages, runs, self.dimension)
        self._mapping = mapping if mapping is not None and self._agrees(mapping) else None
        self.release_memory()

    @property
    def mapped(self) -> bool:
        """True if the vectors are read from mapped memory."""
        return self._mapping is not None

    def release_memory(self) -> None:
        """Hold no memory for what was read."""
        if self._mapping is not None:
            self._mapping.release_memory()

    def take(self, positions: NDArray[np.int64]) -> NDArray[np.float16]:
        """Vectors at positions of any shape, (*shape, D); undefined for the position -1."""
        flat = np.maximum(positions.ravel(), 0)
        if self._count == 0:
            taken = np.zeros((flat.size, self.dimension), dtype=np.float16)
        elif self._mapping is not None:
            taken = self._mapping.take(flat)
        else:
            taken = self._take_read(flat)
        return taken.reshape(*positions.shape, self.dimension)

    def similarities(
        self, queries: NDArray[np.float32], positions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Cosine of each query, (n, D), and each of its candidates, (n, c); −inf for −1."""
        if self._mapping is None:
            return similarities(queries, self.take(positions), positions)
        return self._mapping.rows.cosines(queries, positions)

    def _take_read(self, positions: NDArray[np.int64]) -> NDArray[np.float16]:
        unique, inverse = np.unique(positions, return_inverse=True)
        column = self._table.take(unique.tolist(), ["vector"]).column("vector").combine_chunks()
        values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(unique), -1)
        taken: NDArray[np.float16] = values[inverse]
        return taken

    def _agrees(self, mapping: "_Mapping") -> bool:
        """Return whether a sample of rows reads the same through Lance."""
        sample = np.linspace(0, self._count - 1, min(self._count, _SAMPLE)).astype(np.int64)
        return np.array_equal(mapping.take(sample), self._take_read(sample))


@dataclass(frozen=True)
class _Mapping:
    """Mapped files and the beginning of each vector; rows of a run are consecutive in a file.

    Pages may begin at any half, not only at multiples of a vector's size.
    """

    starts: NDArray[np.int64]  # first position of each run
    files: NDArray[np.int64]  # number of its file
    offsets: NDArray[np.int64]  # of position 0 if the run began there, in halves
    mapped: Sequence[mmap.mmap]
    count: int
    dimension: int

    @cached_property
    def halves(self) -> list[NDArray[np.int16]]:
        """All bytes of each file, as halves."""
        return [np.frombuffer(m, np.int16, len(m) // HALF) for m in self.mapped]

    @cached_property
    def rows(self) -> "Rows":
        """The vectors, by position."""
        from homing.search.products import Rows

        begins = np.array([halves.ctypes.data for halves in self.halves], np.int64)
        addresses = begins[self.files] + HALF * self.offsets
        return Rows(self.starts, addresses, self.count, self.dimension)

    def release_memory(self) -> None:
        """Hold no memory for what was read: the system maps many pages around each one touched."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapped in self.mapped:
                mapped.madvise(mmap.MADV_DONTNEED)

    def take(self, positions: NDArray[np.int64]) -> NDArray[np.float16]:
        run = np.searchsorted(self.starts, positions, side="right") - 1
        places = self.offsets[run] + self.dimension * positions
        if len(self.halves) == 1:
            taken = self._from_file(0, places)
        else:
            taken = self._from_files(self.files[run], places)
        vectors: NDArray[np.float16] = taken.view(np.float16).reshape(-1, self.dimension)
        return vectors

    def _from_file(self, file: int, places: NDArray[np.int64]) -> NDArray[np.void]:
        """Copy vectors that begin at these halves of a file."""
        halves = self.halves[file]
        windows = np.ndarray(
            (len(halves) - self.dimension + 1,), self.item, halves, strides=(HALF,)
        )
        # The vectors are far apart in memory. Touching one half of each first has the processor
        # wait for many of them at once instead of for one after the other: a quarter less time.
        halves[places]
        return windows[places]

    def _from_files(self, files: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.void]:
        taken = np.empty(len(places), dtype=self.item)
        order = np.argsort(files, kind="stable")
        for here in np.split(order, np.flatnonzero(np.diff(files[order])) + 1):
            if len(here):
                taken[here] = self._from_file(int(files[here[0]]), places[here])
        return taken

    @property
    def item(self) -> np.dtype[np.void]:
        """One vector as one value, which numpy copies whole: faster by a third than row by row."""
        return np.dtype((np.void, HALF * self.dimension))


def _map_pages(pages: Sequence[Page], runs: Runs, dimension: int) -> _Mapping | None:
    """Map the files of all pages; None if any row is outside the pages."""
    if not pages or runs.count == 0:
        return None
    firsts = np.array([page.first for page in pages], dtype=np.uint64)
    cut = runs.split(firsts)
    page_of = np.searchsorted(firsts, cut.firsts, side="right") - 1
    rows = np.array([page.rows for page in pages], dtype=np.int64)
    row = (cut.firsts - firsts[page_of]).astype(np.int64)
    if page_of.min() < 0 or np.any(row + cut.lengths > rows[page_of]):
        return None
    begins = np.array([page.position // HALF for page in pages], dtype=np.int64)
    paths = list(dict.fromkeys(page.path for page in pages))
    number = {path: n for n, path in enumerate(paths)}
    files = np.array([number[page.path] for page in pages], dtype=np.int64)
    offsets = begins[page_of] + dimension * (row - cut.starts)
    mapped = [_map_file(path) for path in paths]
    return _Mapping(cut.starts, files[page_of], offsets, mapped, runs.count, dimension)


def _map_file(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
