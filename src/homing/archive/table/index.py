"""The record's own IVF_PQ index, in Lance's terms: segments over fragments of the record.

A segment is built from the stored cells and codes, with the codebook's centroids and code words:
nothing is encoded again and nothing trained, so that it holds exactly what the record says. Lance
would itself encode the half-precision vectors with a half-precision codebook, and come to other
cells near their borders. What it reads instead are files of row, cell and code, as its own GPU
builder writes them ("precomputed shuffle buffers"); the index is bound to a column of the right
type that has no values, which takes no space.

Because the column is empty, Lance's ``optimize_indices`` must never be run on a record: it would
train anew and count rows as indexed that are not. An index that somebody has treated so is seen by
its centroids or its count of rows; it is not used, and the next `homing index` replaces it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
from lance.file import LanceFileReader
from numpy.typing import NDArray

from homing.archive.table.addresses import removed_rows
from homing.archive.table.columns import plain_bytes
from homing.archive.table.table import Table, translated
from homing.codebooks import Codebook
from homing.errors import UsageError

_METRIC = "L2"


@dataclass(frozen=True)
class Segment:
    """A part of the index.

    Attributes
    ----------
    fragments : frozenset of int
        Fragments of the record that it covers.
    rows : int
        Rows of these, less those removed.
    uuid : str
        Its name in the record; none of one that is only planned.
    """

    fragments: frozenset[int]
    rows: int
    uuid: str = ""


@dataclass(frozen=True)
class Coverage:
    """What the index of a record covers.

    Attributes
    ----------
    segments : tuple of Segment
    loose : mapping of int to int
        Fragments that it does not cover, in the record's order, and their rows.
    sound : bool
        False if there is an index that holds something else than the record's cells and codes, or
        whose files are lost; all fragments are then loose.
    """

    segments: tuple[Segment, ...]
    loose: Mapping[int, int]
    sound: bool = True

    @property
    def covered(self) -> int:
        """Rows that it covers."""
        return sum(segment.rows for segment in self.segments)

    @property
    def rows(self) -> int:
        """All rows."""
        return self.covered + sum(self.loose.values())


def index_name(codebook: Codebook) -> str:
    """Name of the index, which says with what codebook it was made."""
    return f"codes-{codebook.fingerprint[:16]}"


def coverage(table: Table, codebook: Codebook) -> Coverage:
    """What the index covers of the version in view."""
    dataset = table.dataset
    with translated(table.path):
        rows = table.rows_of_fragments()
        found = _described(dataset, codebook)
        segments, sound = [], not found or _same_centroids(dataset, codebook)
        for segment in found:
            covered = frozenset(segment.fragment_ids) & rows.keys()
            count = sum(rows[number] for number in covered)
            sound = sound and _rows_held(table, segment.uuid) >= count
            if covered:
                segments.append(Segment(covered, count, segment.uuid))
    if not sound:
        return Coverage((), rows, sound=False)
    covered = frozenset().union(*(segment.fragments for segment in segments))
    return Coverage(tuple(segments), {n: rows[n] for n in rows if n not in covered})


def coverages(table: Table, codebooks: Sequence[Codebook]) -> list[Coverage]:
    """What the index of each generation covers."""
    return [
        coverage(table.of(number), codebook) for number, codebook in enumerate(codebooks, start=1)
    ]


def _described(dataset: lance.LanceDataset, codebook: Codebook) -> Sequence[Any]:
    name = index_name(codebook)
    return [s for index in dataset.describe_indices() if index.name == name for s in index.segments]


def _same_centroids(dataset: lance.LanceDataset, codebook: Codebook) -> bool:
    try:
        held = dataset.get_ivf_model(index_name(codebook)).centroids
    except ValueError as error:
        _refuse_unless_lost(error)
        return False
    flat = held.flatten().to_numpy(zero_copy_only=False)
    return np.array_equal(flat, _centroids(codebook).ravel())


def _rows_held(table: Table, segment: str) -> int:
    """Rows in a segment's file; −1 if that is lost."""
    try:
        reader = LanceFileReader(f"{table.dataset.uri}/_indices/{segment}/auxiliary.idx")
    except ValueError as error:
        _refuse_unless_lost(error)
        return -1
    return int(reader.metadata().num_rows)


def _refuse_unless_lost(error: ValueError) -> None:
    """Lance has no error of its own for files that are not there, as others have."""
    if not str(error).startswith("Not found"):
        raise error


def add_column(table: Table, codebook: Codebook) -> None:
    """Give the record the empty column, if it has none."""
    kind = pa.list_(pa.float32(), codebook.dimension)
    table.add_column(pa.field(table.indexed_column, kind, nullable=True))


def build(table: Table, codebook: Codebook, fragments: Sequence[int], folder: Path) -> Any:
    """Build a segment over some fragments; nobody sees it before it is committed.

    Parameters
    ----------
    table : Table
        At a version that has all of these fragments.
    codebook : Codebook
    fragments : sequence of int
    folder : Path
        An empty local folder for what is written in between.
    """
    with translated(table.path):
        staged = lance.write_dataset(
            pa.RecordBatchReader.from_batches(
                _staged_schema(codebook), _staged(table, codebook, fragments)
            ),
            str(folder / "staged"),
            data_storage_version="legacy",  # the one that Lance's builder reads
        )
        files = [file.path for part in staged.get_fragments() for file in part.data_files()]
        return table.dataset.create_index_uncommitted(
            table.indexed_column,
            name=index_name(codebook),
            metric=_METRIC,
            replace=True,  # else the name would be refused where there are other segments
            fragment_ids=list(fragments),
            precomputed_shuffle_buffers=files,
            precomputed_shuffle_buffers_path=str(folder / "staged" / "data"),
            **_kind(codebook),
        )


def _kind(codebook: Codebook) -> dict[str, Any]:
    centroids = _centroids(codebook)
    kind: dict[str, Any] = {"num_partitions": len(centroids), "ivf_centroids": centroids}
    if codebook.factory.fine == "Flat":
        return kind | {"index_type": "IVF_FLAT"}
    return kind | {
        "index_type": "IVF_PQ",
        "pq_codebook": np.array(codebook.arrays["pq"]),
        "num_sub_vectors": codebook.factory.sub_quantizers,
    }


def _centroids(codebook: Codebook) -> NDArray[np.float32]:
    """Of the cells; without cells one, in the origin."""
    if codebook.factory.cells:
        return np.array(codebook.arrays["coarse"])
    return np.zeros((1, codebook.dimension), np.float32)


def _staged_schema(codebook: Codebook) -> pa.Schema:
    flat = codebook.factory.fine == "Flat"
    code = (
        pa.field("flat", pa.list_(pa.float32(), codebook.dimension))
        if flat
        else pa.field("__pq_code", pa.list_(pa.uint8(), codebook.code_size))
    )
    return pa.schema([("row_id", pa.uint64()), ("__ivf_part_id", pa.uint32()), code])


def _staged(table: Table, codebook: Codebook, fragments: Sequence[int]) -> Iterator[pa.RecordBatch]:
    schema = _staged_schema(codebook)
    kind = schema.field(2).type
    for batch in table.batches(["cell", "code"], addresses=True, fragments=fragments):
        held = plain_bytes(batch.column("code"), codebook.code_size).ravel()
        values = pa.array(held.view(np.float32) if pa.types.is_floating(kind.value_type) else held)
        yield pa.record_batch(
            [
                batch.column("_rowaddr"),
                batch.column("cell").cast(pa.uint32()),
                pa.FixedSizeListArray.from_arrays(values, type=kind),
            ],
            schema=schema,
        )


def refuse_missing(table: Table, segment: Any) -> None:
    """Refuse a segment that another machine has built, unless its files are seen here.

    Raises
    ------
    UsageError
        They are not.
    """
    with translated(table.path):
        held = _rows_held(table, str(segment.uuid))
    if held < 0:
        raise UsageError(
            f"a worker has built a part of the index that is not seen here, in {table.path}; put "
            "the archive where all machines see it under the same path, or in an object store"
        )


def commit(table: Table, codebook: Codebook, fragments: Sequence[int], segment: Any) -> bool:
    """Make a segment part of the index, in place of those that have a part of its fragments.

    It was built from an older version, and versions are forgotten meanwhile, so that Lance cannot
    tell whether another process came between. Therefore it is looked at here, from the newest
    version on; what comes after that Lance tells itself.

    Returns
    -------
    bool
        False, and nothing has changed, if another process has rewritten some of the fragments since
        they were read, or indexed them.
    """
    covered = frozenset(fragments)

    def write() -> bool:
        with translated(table.path):
            if not _fits(table, codebook, covered):
                return False
            table.dataset.commit_existing_index_segments(
                index_name(codebook), table.indexed_column, [segment]
            )
        return True

    return table.written(write)


def _fits(table: Table, codebook: Codebook, covered: frozenset[int]) -> bool:
    """Whether fragments are still there, and no segment in place has all of them, or others too."""
    there = removed_rows(table).keys()
    in_place = [there & s.fragment_ids for s in _described(table.dataset, codebook)]
    return covered <= there and all(s < covered or not s & covered for s in in_place)


def drop(table: Table, codebook: Codebook) -> None:
    """Remove the index, if there is one."""

    def write() -> None:
        with translated(table.path):
            if _described(table.dataset, codebook):
                table.dataset.drop_index(index_name(codebook))

    table.written(write)


def nearest(
    table: Table,
    codebook: Codebook,
    segments: Sequence[Segment],
    queries: NDArray[np.float32],
    candidates: int,
    probes: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.float32]]:
    """Rows of some segments whose codes are nearest: query, address of the row, distance."""
    with translated(table.path):
        scanner = table.dataset.scanner(
            columns=["_distance"],
            nearest={
                "column": table.indexed_column,
                "q": codebook.inner(queries),
                "k": candidates,
                "nprobes": probes,
            },
            fast_search=True,  # what is not indexed has no vector here; the engine sees to it
            with_row_address=True,
            index_segments=[segment.uuid for segment in segments],
        )
        found = scanner.to_table()
    return (
        found["query_index"].to_numpy().astype(np.int64),
        found["_rowaddr"].to_numpy(),
        found["_distance"].to_numpy(),
    )
