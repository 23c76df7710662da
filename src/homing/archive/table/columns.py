"""Columns that a search holds in memory, read in little more memory than they take."""

import ctypes
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.addresses import Runs
from homing.archive.table.places import PLACES, PackedPlaces
from homing.archive.table.rows import code_array
from homing.archive.table.table import Table

_LARGEST_OFFSET = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Columns:
    """Columns of all n rows of a table, in scan order."""

    ids: pa.Array
    cells: NDArray[np.int32]  # as stored: numbered through all generations
    codes: Mapping[str, NDArray[np.uint8]]
    """Code columns, (n, size); undefined where a row has its code in another one."""
    runs: Runs
    released: NDArray[np.bool_]  # whether the row's state is "released"
    has_metadata: NDArray[np.bool_]
    places: PackedPlaces


def load_columns(table: Table) -> Columns:
    """Read what a search needs, batch by batch into arrays of the final size."""
    count, generations = len(table), table.generations
    cells = np.empty(count, dtype=np.int32)
    sizes = {
        generations.code_column(number): member.code_size
        for number, member in enumerate(generations.members, start=1)
    }
    codes = {name: np.empty((count, size), dtype=np.uint8) for name, size in sizes.items()}
    released = np.empty(count, dtype=bool)
    has_metadata = np.empty(count, dtype=bool)
    lengths = np.empty(count, dtype=np.int32)
    text = bytearray()
    runs, places = [], []
    start = 0
    further = [PLACES] if table.places > 1 else []
    names = ["id", "state", "cell", *codes, "metadata", *further]
    for batch in table.batches(names, addresses=True):
        part = slice(start, start + batch.num_rows)
        lengths[part] = _append(text, batch.column("id"))
        cells[part] = batch.column("cell").to_numpy()
        for name, values in codes.items():
            values[part] = code_array(batch.column(name), sizes[name])
        runs.append(Runs.of(batch.column("_rowaddr").to_numpy()))
        released[part] = np.diff(_ends(batch.column("state"))) == len("released")
        has_metadata[part] = batch.column("metadata").is_valid().to_numpy(zero_copy_only=False)
        places += [PackedPlaces.of(batch.column(name), start) for name in further]
        start += batch.num_rows
    ids, held = _strings(lengths, text), PackedPlaces.joined(places)
    return Columns(ids, cells, codes, Runs.joined(runs), released, has_metadata, held)


def _append(text: bytearray, column: pa.StringArray) -> NDArray[np.int32]:
    """Append a batch's strings to the text; returns their lengths in bytes."""
    ends, values = _ends(column), column.buffers()[2]
    if values is not None:
        text += memoryview(values)[ends[0] : ends[-1]]
    return np.diff(ends)


def _ends(column: pa.StringArray) -> NDArray[np.int32]:
    """Start of the first string in the column's text, then the end of each."""
    offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)
    return offsets[column.offset : column.offset + len(column) + 1]


def _strings(lengths: NDArray[np.int32], text: bytearray) -> pa.Array:
    """One array over the text: taking from many chunks costs a search for each row."""
    small = len(text) <= _LARGEST_OFFSET
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32 if small else np.int64)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    string = pa.string() if small else pa.large_string()
    return pa.Array.from_buffers(string, len(lengths), buffers, null_count=0)


def return_freed_memory() -> None:
    """Hint to the allocators to give the memory of the scan's buffers back to the system."""
    pa.default_memory_pool().release_unused()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)
