"""The table's index in Lance: segments, each over some of the table's fragments.

By default a segment is built from the stored cells and codes, with the codebook's centroids and
code words: nothing is encoded again and nothing trained, so that it holds exactly what the table
says. Lance would encode the half-precision vectors with a half-precision codebook, and come to
other cells near their borders. It is given files of row, cell and code instead, and the index is
bound to a column of the right type without values, which takes no space. In the other forms
(:mod:`homing.archive.table.index.form`) it is given the vectors in place of the codes, and the
index is bound to their column.

Because the column may be empty, Lance's ``optimize_indices`` must never be run on a table: it would
train anew and count rows as indexed that are not. An index treated so is recognised by its
centroids or its count of rows; it is not used, and the next `homing index` replaces it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.addresses import removed_rows
from homing.archive.table.checksums import tracked_files
from homing.archive.table.index.form import VECTOR, IndexForm, stored_form
from homing.archive.table.lance_internals import (
    count_indexed_rows,
    index_storage,
    is_missing_file,
    shuffle_schema,
    write_shuffle_buffers,
)
from homing.archive.table.location import SHARE_ARCHIVE
from homing.archive.table.places import PLACES, PackedPlaces
from homing.archive.table.rows import code_array
from homing.archive.table.table import Table
from homing.archive.table.versions import translate_errors
from homing.codebooks.codebook import Codebook
from homing.errors import UsageError

_METRIC = "L2"


@dataclass(frozen=True)
class Segment:
    """A part of the index, over some fragments of the table."""

    fragments: frozenset[int]
    rows: int  # of these fragments, without removed ones
    uuid: str = ""  # Lance's name; empty while only planned


@dataclass(frozen=True)
class Coverage:
    """The parts of a table that its index covers, and those that it does not."""

    segments: tuple[Segment, ...]
    unindexed: Mapping[int, int]  # fragments in scan order, with their rows
    form: IndexForm
    is_sound: bool = True
    """False if an index differs from the table's cells and codes or has lost files; all fragments
    are then unindexed."""

    @property
    def covered(self) -> int:
        """Count of indexed rows."""
        return sum(segment.rows for segment in self.segments)

    @property
    def unindexed_rows(self) -> int:
        """Count of rows that no segment covers."""
        return sum(self.unindexed.values())

    @property
    def rows(self) -> int:
        """Count of all rows."""
        return self.covered + self.unindexed_rows


def read_coverage(table: Table, codebook: Codebook) -> Coverage:
    """Read what the index in place covers of the version in view."""
    with translate_errors(table.path):
        form = stored_form(table, codebook)
    return read_coverage_by(table, form)


def read_coverage_by(table: Table, form: IndexForm) -> Coverage:
    """Read what an index of that form covers of the version in view."""
    with translate_errors(table.path):
        rows = table.fragment_rows()
        stored = _stored_segments(table.dataset, form)
        segments, is_sound = [], not stored or _has_centroids(table.dataset, form)
        for segment in stored:
            covered = frozenset(segment.fragment_ids) & rows.keys()
            count = sum(rows[number] for number in covered)
            is_sound = is_sound and _is_sound(table.dataset, form, segment.uuid, count)
            if covered:
                segments.append(Segment(covered, count, segment.uuid))
    if not is_sound:
        return Coverage((), rows, form, is_sound=False)
    covered = frozenset().union(*(segment.fragments for segment in segments))
    return Coverage(tuple(segments), {n: rows[n] for n in rows if n not in covered}, form)


def read_coverages(table: Table, codebooks: Sequence[Codebook]) -> list[Coverage]:
    """Read what the index of each generation covers."""
    return [
        read_coverage(table.of_generation(number), codebook)
        for number, codebook in enumerate(codebooks, start=1)
    ]


def has_damaged_files(table: Table, coverage: Coverage) -> bool:
    """Return whether a file of the index differs from its checksum; reads all of them."""
    folders = tuple(f"_indices/{segment.uuid}/" for segment in coverage.segments)
    with translate_errors(table.path):
        paths = tracked_files(table.dataset, table.version)
    own = {path for path in paths if path.startswith(folders)}
    return any(table.checksums.damaged(own))


def _is_sound(dataset: lance.LanceDataset, form: IndexForm, segment: str, rows: int) -> bool:
    """Return whether a segment has that many rows at least, and codes of the frozen model."""
    if count_indexed_rows(dataset, segment) < rows:
        return False
    if form.model is None:
        return True
    signs = "fast_rotation_signs"
    return bool(index_storage(dataset, segment).get(signs) == json.loads(form.model)[signs])


def _stored_segments(dataset: lance.LanceDataset, form: IndexForm) -> Sequence[Any]:
    indices = dataset.describe_indices()
    return [s for index in indices if index.name == form.name for s in index.segments]


def _has_centroids(dataset: lance.LanceDataset, form: IndexForm) -> bool:
    """Return whether the index has the codebook's centroids; False if its files are lost."""
    try:
        stored = dataset.get_ivf_model(form.name).centroids
    except ValueError as error:
        if not is_missing_file(error):
            raise
        return False
    flat = stored.flatten().to_numpy(zero_copy_only=False)
    return np.array_equal(flat, form.centroids.ravel())


def add_index_column(table: Table, form: IndexForm) -> None:
    """Add the empty column to which the index is bound, unless it exists or none is needed."""
    vector = pa.list_(pa.float32(), form.codebook.dimension)
    table.add_column(pa.field(form.column(table), vector, nullable=True))


def build_segment(table: Table, form: IndexForm, fragments: Sequence[int], folder: Path) -> Any:
    """Build a segment over some fragments of the version in view; invisible until committed.

    `folder` is an empty local one for intermediate files.
    """
    with translate_errors(table.path):
        schema = shuffle_schema(form.value_name, form.value_type)
        rows = _rows_to_index(table, form, fragments, schema)
        return table.dataset.create_index_uncommitted(
            form.column(table),
            name=form.name,
            metric=_METRIC,
            replace=True,  # else the name is refused where other segments exist
            fragment_ids=list(fragments),
            **write_shuffle_buffers(schema, rows, folder),
            **form.arguments,
        )


def _rows_to_index(
    table: Table, form: IndexForm, fragments: Sequence[int], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    further = [PLACES] if table.places > 1 else []
    names, size = ["cell", form.value, *further], form.codebook.code_size
    for batch in table.batches(names, addresses=True, fragments=fragments):
        addresses, cells = batch.column("_rowaddr").to_numpy(), batch.column("cell").to_numpy()
        values = _values(batch.column(form.value), size)
        yield _to_index(addresses, cells, values, schema)
        for name in further:  # a row is found in each cell that it is held in
            places = PackedPlaces.of(batch.column(name)).unpack(size)
            there = values[places.owners] if form.value == VECTOR else places.codes
            yield _to_index(addresses[places.owners], places.cells, there, schema)


def _values(column: pa.Array, code_size: int) -> NDArray[Any]:
    """Return codes, (n, code_size) uint8, or vectors, (n, D) float16."""
    if pa.types.is_fixed_size_binary(column.type):
        return code_array(column, code_size)
    flat: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), -1)


def _to_index(
    addresses: NDArray[np.uint64],
    cells: NDArray[np.int32],
    values: NDArray[Any],
    schema: pa.Schema,
) -> pa.RecordBatch:
    kind = schema.types[-1]
    flat = values.ravel()
    flat = flat.view(np.float32) if pa.types.is_float32(kind.value_type) else flat
    columns = [
        pa.array(addresses),
        pa.array(cells.astype(np.uint32)),
        pa.FixedSizeListArray.from_arrays(pa.array(flat), type=kind),
    ]
    return pa.record_batch(columns, schema=schema)


def refuse_missing(table: Table, segment: Any) -> None:
    """Refuse a segment that another machine has built where this one does not see its files."""
    with translate_errors(table.path):
        rows = count_indexed_rows(table.dataset, str(segment.uuid))
    if rows < 0:
        raise UsageError(
            f"a worker has built a part of the index that is not seen here, in {table.path}; "
            f"{SHARE_ARCHIVE}"
        )


def commit_segment(table: Table, form: IndexForm, fragments: Sequence[int], segment: Any) -> bool:
    """Make a segment part of the index; it replaces those that cover some of its fragments.

    Returns False, with nothing changed, if another process has since rewritten or indexed some of
    the fragments. Lance cannot detect that: the segment was built from an older version, and the
    versions since may be forgotten. So it is checked here, from the newest version on; Lance
    detects what comes later.
    """
    covered = frozenset(fragments)

    def commit() -> bool:
        if not _fits(table, form, covered):
            return False
        table.dataset.commit_existing_index_segments(form.name, form.column(table), [segment])
        return True

    return table.commit(commit)


def _fits(table: Table, form: IndexForm, covered: frozenset[int]) -> bool:
    """Return whether the fragments exist, and no segment in place covers all of them, or others."""
    existing = removed_rows(table).keys()
    in_place = [existing & s.fragment_ids for s in _stored_segments(table.dataset, form)]
    return covered <= existing and all(s < covered or not s & covered for s in in_place)


def drop_index(table: Table, form: IndexForm) -> None:
    """Remove the index, if one exists."""

    def drop() -> None:
        if _stored_segments(table.dataset, form):
            table.dataset.drop_index(form.name)

    table.commit(drop)


def nearest_codes(
    table: Table,
    form: IndexForm,
    segments: Sequence[Segment],
    queries: NDArray[np.float32],
    candidates: int,
    probes: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.float32]]:
    """Find the rows of some segments with the nearest codes: query, row address, distance."""
    with translate_errors(table.path):
        scanner = table.dataset.scanner(
            columns=["_distance"],
            nearest={
                "column": form.column(table),
                "q": form.queries(queries),
                "k": candidates,
                "nprobes": probes,
            },
            fast_search=True,  # unindexed rows have no vector here; the engine searches them
            with_row_address=True,
            index_segments=[segment.uuid for segment in segments],
        )
        found = scanner.to_table()
    return (
        found["query_index"].to_numpy().astype(np.int64),
        found["_rowaddr"].to_numpy(),
        found["_distance"].to_numpy(),
    )
