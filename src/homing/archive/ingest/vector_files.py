"""Files of vectors described elsewhere: Parquet, and NumPy arrays with their ids beside them."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from homing.archive.ingest.vectors import COMMIT, GivenVectors, check_shape, given_vectors
from homing.errors import UsageError
from homing.files.regular import irregularity
from homing.images.limits import shown

IDS = ".ids.json"
"""Ending of the file of ids, after an array's own name."""

_ID, _VECTOR = "id", "vector"


def is_array(path: Path) -> bool:
    """Return whether a file's name is that of a NumPy array."""
    return path.suffix.lower() == ".npy"


def is_of_vectors(opened: pq.ParquetFile) -> bool:
    """Return whether a Parquet file has ids and vectors."""
    return {_ID, _VECTOR} <= set(opened.schema_arrow.names)


def read_vectors(path: Path, dimension: int) -> Iterator[GivenVectors]:
    """Yield the vectors of a file, some at a time; UsageError if it has others or is damaged.

    ``NAME.npy`` is an array, (n, D), and ``NAME.npy.ids.json`` a JSON array of n strings. A Parquet
    file has the columns ``id`` (strings) and ``vector`` (lists of D real numbers); all others are
    metadata under their names, where they are not null.
    """
    try:
        if wrong := irregularity(path):
            raise UsageError(f"{shown(path)} {wrong}")
        if not path.exists():
            raise UsageError(f"{shown(path)} cannot be imported: there is no such file")
        yield from _of_array(path, dimension) if is_array(path) else _of_table(path, dimension)
    # OverflowError: sizes and dates out of range; RecursionError: JSON nested thousands deep.
    except (OSError, ValueError, OverflowError, RecursionError, pa.ArrowException) as error:
        raise UsageError(f"{shown(path)} cannot be imported: {error}") from error


def _of_array(path: Path, dimension: int) -> Iterator[GivenVectors]:
    beside = path.with_name(path.name + IDS)
    if not beside.is_file():
        raise UsageError(
            f"{shown(path)} needs the ids of its vectors in {shown(beside)}: a JSON array of as "
            "many strings"
        )
    vectors: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")  # of that format alone
    ids = json.loads(beside.read_text(encoding="utf-8"))
    if not isinstance(ids, list):
        raise UsageError(f"{shown(beside)} is no JSON array of ids")
    return given_vectors(ids, vectors, None, dimension)


def _of_table(path: Path, dimension: int) -> Iterator[GivenVectors]:
    with pq.ParquetFile(path.absolute(), page_checksum_verification=True) as opened:
        names = opened.schema_arrow.names
        if len(set(names)) < len(names):
            raise UsageError(f"{shown(path)} has two columns of one name; rename or drop one")
        for batch in opened.iter_batches(COMMIT):
            rest = batch.drop_columns([_ID, _VECTOR]).to_pylist()
            metadata = [_present(row) for row in rest] or [None] * batch.num_rows
            ids = batch.column(_ID).to_pylist()
            yield GivenVectors(ids, _vectors(batch.column(_VECTOR), dimension), metadata)


def _vectors(column: pa.Array, dimension: int) -> NDArray[Any]:
    """Return a column of lists, (n, D); UsageError if they are not all of that length."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_list(kind) for is_list in lists) or not pa.types.is_floating(kind.value_type):
        raise UsageError(f"the column 'vector' is of {kind}, not of lists of real numbers")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    lengths = set(column.value_lengths().to_pylist())
    if not lengths <= {dimension} or len(flat) != len(column) * dimension:
        found = ", ".join(sorted(str(length) for length in lengths))
        raise UsageError(
            f"the archive takes vectors of {dimension} real numbers; those of the file have {found}"
        )
    vectors: NDArray[Any] = flat.reshape(len(column), dimension)
    check_shape(vectors, dimension)
    return vectors


def _present(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the metadata of a row, dates as text; None without any."""
    kept = {
        name: value.isoformat() if isinstance(value, datetime.date | datetime.time) else value
        for name, value in row.items()
        if value is not None
    }
    return kept or None
