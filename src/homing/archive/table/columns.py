"""What a search holds of a record in memory, read in little more memory than it takes."""

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.addresses import Runs
from homing.archive.table.table import Table

_LARGEST_OFFSET = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Columns:
    """Columns of all n rows of a record, in the order of the scan.

    Attributes
    ----------
    ids : pyarrow.Array of n strings
    cells : array (n,), int32
        As recorded: numbered through all generations.
    codes : mapping of str to array (n, width), uint8
        Every column of codes; zeros, or anything, where a row has its code in another one.
    runs : Runs
        Where the rows lie.
    released : array (n,), bool
        Whether the row's state is "released".
    described : array (n,), bool
        Whether the row has metadata.
    """

    ids: pa.Array
    cells: NDArray[np.int32]
    codes: Mapping[str, NDArray[np.uint8]]
    runs: Runs
    released: NDArray[np.bool_]
    described: NDArray[np.bool_]


def load(table: Table) -> Columns:
    """Read what a search needs, batch by batch into arrays of the final size."""
    count, layout = len(table), table.layout
    cells = np.empty(count, dtype=np.int32)
    widths = {layout.column(n): part.code_size for n, part in enumerate(layout.parts, start=1)}
    codes = {name: np.empty((count, width), dtype=np.uint8) for name, width in widths.items()}
    released = np.empty(count, dtype=bool)
    described = np.empty(count, dtype=bool)
    lengths = np.empty(count, dtype=np.int32)
    text = bytearray()
    runs = []
    start = 0
    for batch in table.batches(["id", "state", "cell", *codes, "metadata"], addresses=True):
        part = slice(start, start + batch.num_rows)
        lengths[part] = _append(text, batch.column("id"))
        cells[part] = batch.column("cell").to_numpy()
        for name, held in codes.items():
            held[part] = plain_bytes(batch.column(name), widths[name])
        runs.append(Runs.of(batch.column("_rowaddr").to_numpy()))
        released[part] = _lengths(batch.column("state")) == len("released")
        described[part] = batch.column("metadata").is_valid().to_numpy(zero_copy_only=False)
        start += batch.num_rows
    return Columns(_strings(lengths, text), cells, codes, Runs.joined(runs), released, described)


def _append(text: bytearray, column: pa.StringArray) -> NDArray[np.int32]:
    """Put a batch's strings behind those there; returns their lengths in bytes."""
    ends, values = _ends(column), column.buffers()[2]
    if values is not None:
        text += memoryview(values)[ends[0] : ends[-1]]
    return np.diff(ends)


def _lengths(column: pa.StringArray) -> NDArray[np.int32]:
    return np.diff(_ends(column))


def _ends(column: pa.StringArray) -> NDArray[np.int32]:
    """Where each string ends in the column's text, and before them where the first begins."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)
    return offsets[column.offset : column.offset + len(column) + 1]


def _strings(lengths: NDArray[np.int32], text: bytearray) -> pa.Array:
    """One array over that text: to take from many chunks costs a search for each row."""
    small = len(text) <= _LARGEST_OFFSET
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32 if small else np.int64)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    kind = pa.string() if small else pa.large_string()
    return pa.Array.from_buffers(kind, len(lengths), buffers, null_count=0)


def plain_bytes(column: pa.FixedSizeBinaryArray, width: int) -> NDArray[np.uint8]:
    """Values of a column of codes, (n, width), without a copy."""
    buffer = column.buffers()[1]
    values = np.frombuffer(buffer, dtype=np.uint8)
    first = column.offset * width
    return values[first : first + len(column) * width].reshape(len(column), width)


def release_freed() -> None:
    """Return to the system what the scan's buffers took: allocators keep it for later.

    Both are but hints to the allocators; what is in use stays where it is.
    """
    pa.default_memory_pool().release_unused()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
        if trim is not None:
            trim(0)
