"""Internals of Lance that homing relies on, beyond its documented interface.

tests/archive/table/test_lance_internals.py fails where a later Lance changes any of it. Pages that
are no longer plain cost speed only: vectors are then read through Lance. The rest must hold.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import lance

LANCE_ERRORS = (ValueError, OSError, RuntimeError)
"""Lance has no exceptions of its own."""

PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}
"""Metadata of the id column; without it concurrent merges of the same ids double rows."""

FRAGMENT_SHIFT = 32
"""A row's address is its fragment's number << 32 | its row in the fragment."""

VERSIONS = "_versions"
"""Folder of the manifests."""

NAMED = ("data", "_deletions", "_indices", "_transactions")
"""Folders of the files that manifests name."""

HINT = "latest_version_hint.json"
"""File there that names the newest version; a wrong one, or none, does no harm."""

HALF = 2
"""Bytes of a float16."""

_RUST_SOURCE = re.compile(r",\s*\S+\.rs:\d+:\d+")  # position in Lance's source, useless to users
_FROM_LOCK = re.compile(r".*Error from commit handler: (?:\w+: )?", re.DOTALL)  # it is ours
_STORE_ERROR = re.compile(r"<Code>(.*?)</Code>(?:\s*<Message>(.*?)</Message>)?", re.DOTALL)


def is_panic(error: BaseException) -> bool:
    """Tell whether Lance's native code gave up, as it may over damaged files; no `Exception`."""
    return type(error).__name__ == "PanicException"


def reason_of(error: BaseException) -> str:
    """Lance's error message on one line; of an object store's XML only code and message."""
    text = str(error) or type(error).__name__
    if found := _STORE_ERROR.search(text):
        return ": ".join(part for part in found.groups() if part)
    return " ".join(_RUST_SOURCE.sub("", _FROM_LOCK.sub("", text)).split())


def is_missing_file(error: ValueError) -> bool:
    """Tell a missing index file from other errors: Lance raises ValueError for both."""
    return str(error).startswith("Not found")


MANIFEST_END = b"LANC"
"""Last bytes of a manifest."""

_NUMBERED_DOWN = 20  # digits of a manifest's name


def version_of(manifest: str) -> int | None:
    """Read a version's number from the name of its manifest; None if it is no such name."""
    number, _, suffix = manifest.partition(".")
    if suffix != "manifest" or not number.isdecimal():
        return None
    return (1 << 64) - 1 - int(number) if len(number) == _NUMBERED_DOWN else int(number)


def is_unfinished(name: str) -> bool:
    """Return whether a file is one that Lance still writes, or its hint of the newest version."""
    return name.startswith(".tmp") or "#" in name or name == HINT


def count_indexed_rows(dataset: "lance.LanceDataset", segment: str) -> int:
    """Count the rows in the file of an index segment; -1 if the file is lost."""
    from lance.file import LanceFileReader

    try:
        reader = LanceFileReader(f"{dataset.uri}/_indices/{segment}/auxiliary.idx")
    except ValueError as error:
        if not is_missing_file(error):
            raise
        return -1
    return int(reader.metadata().num_rows)


def index_storage(dataset: "lance.LanceDataset", segment: str) -> dict[str, Any]:
    """Return what the file of an index segment says of its codes."""
    from lance.file import LanceFileReader

    reader = LanceFileReader(f"{dataset.uri}/_indices/{segment}/auxiliary.idx")
    (text,) = json.loads(reader.metadata().schema.metadata[b"storage_metadata"])
    stored: dict[str, Any] = json.loads(text)
    return stored


def rabitq_model(dimension: int, bits: int, seed: bytes) -> str:
    """Make a model of RaBitQ codes whose rotation follows from the seed alone."""
    from lance.lance import indices

    model = json.loads(indices.build_rq_model(dimension, bits))
    count = len(model["fast_rotation_signs"])
    drawn = np.random.default_rng(list(seed)).integers(256, size=count)
    return json.dumps(model | {"fast_rotation_signs": drawn.tolist()})


@dataclass(frozen=True)
class Page:
    """Consecutive vectors in a data file."""

    first: int  # address of its first row
    rows: int
    path: Path
    position: int  # of its first byte in the file


def plain_pages(dataset: "lance.LanceDataset", folder: Path, dimension: int) -> list[Page]:
    """Pages of the vectors in all data files, by address; empty if any page is not plain.

    Lance stores a column of wide fixed-size values without nulls as plain consecutive bytes ("full
    zip" pages without repetition or definition levels). `folder` is the dataset's.
    """
    pages: list[Page] = []
    for fragment, path, column in _data_files(dataset, folder, "vector"):
        found = _pages_of_file(path, column, dimension, fragment << FRAGMENT_SHIFT)
        if found is None:
            return []
        pages.extend(found)
    return sorted(pages, key=lambda page: page.first)


def _data_files(
    dataset: "lance.LanceDataset", folder: Path, column: str
) -> Iterator[tuple[int, Path, int]]:
    """Yield fragment number, local data file and the column's index in that file."""
    number = dataset.lance_schema.field(column).id()
    for fragment in dataset.get_fragments():
        for file in fragment.data_files():
            if number in file.fields:
                index = file.column_indices[list(file.fields).index(number)]
                yield fragment.fragment_id, folder / "data" / file.path, index


def _pages_of_file(path: Path, column: int, dimension: int, first: int) -> list[Page] | None:
    from lance.file import LanceFileReader

    width = HALF * dimension
    pages = []
    for page in LanceFileReader(str(path)).metadata().columns[column].pages:
        plain = all(t in page.encoding for t in ("FullZipLayout", "bits_rep: 0", "bits_def: 0"))
        if not plain or len(page.buffers) != 1 or page.buffers[0].size % width:
            return None
        buffer = page.buffers[0]
        if buffer.position % HALF or not buffer.size:
            return None
        pages.append(Page(first, buffer.size // width, path, buffer.position))
        first += pages[-1].rows
    return pages


def shuffle_schema(name: str, value: pa.DataType) -> pa.Schema:
    """Schema of the files from which Lance's index builder takes rows, cells and values.

    Its own GPU builder writes such "precomputed shuffle buffers". The values are fixed-size lists:
    of uint8, named "__pq_code" (a product quantizer's code), of float32, named "flat" (a whole
    vector), or those of the indexed column under its name, which it then encodes.
    """
    return pa.schema([("row_id", pa.uint64()), ("__ivf_part_id", pa.uint32()), (name, value)])


def write_shuffle_buffers(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], folder: Path
) -> dict[str, Any]:
    """Write such files below `folder`; returns the builder's arguments that name them."""
    import lance

    staged = lance.write_dataset(
        pa.RecordBatchReader.from_batches(schema, batches),
        str(folder / "staged"),
        data_storage_version="legacy",  # the one that the builder reads
    )
    files = [file.path for part in staged.get_fragments() for file in part.data_files()]
    return {
        "precomputed_shuffle_buffers": files,
        "precomputed_shuffle_buffers_path": str(folder / "staged" / "data"),
    }
