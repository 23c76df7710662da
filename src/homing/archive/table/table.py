"""The table of an archive: one Lance dataset with a row for every picture.

Its id column is the schema's unenforced primary key, without which concurrent merges of the same
ids were seen to double rows. That column must have no scalar index either, although each lookup of
ids and each merge scans all of them: with a B-tree Lance 14 merges in another way that ignores the
key, and of 1,000 ids that three processes merged at once up to 550 came out double.
"""

import copy
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from homing.archive.ids import spellings
from homing.archive.table.generations import CODE, KEY, StoredGenerations
from homing.archive.table.lance_internals import FRAGMENT_SHIFT
from homing.archive.table.location import Location, refuse_in_worker
from homing.archive.table.places import PLACES, most_places
from homing.archive.table.rows import (
    PREVIEW,
    Row,
    metadata_of,
    metadata_text,
    row_from_values,
    row_schema,
    rows_to_table,
)
from homing.archive.table.versions import VersionedDataset, dataset_uri, translate_errors
from homing.errors import ArchiveError, UsageError
from homing.images.limits import shown

TABLE = "entries.lance"
"""Name of the table in an archive's folder."""

INDEXED = "indexed"
"""Column without values to which the index is bound; a later generation's has its number added."""


class Table(VersionedDataset):
    """The rows of an archive at one version."""

    generation: int | None = None  # if set, only its rows are in view

    def of_generation(self, generation: int) -> "Table":
        """Return the table with the rows of one codebook generation only, for counts and scans.

        Cells and codes are then as that generation's codebook numbers them. Both tables move on
        together.
        """
        part = copy.copy(self)
        part.generation = generation
        return part

    @classmethod
    def create(cls, path: Location, *, dimension: int, code_size: int, places: int = 1) -> "Table":
        """Create an empty table, whose entries have up to `places` cells."""
        schema = row_schema(dimension, code_size, places)
        with translate_errors(path):
            lance.write_dataset(schema.empty_table(), dataset_uri(path), schema=schema)
        table = cls.open(path)
        table.begin_writing()  # the lock's file is there from now on
        table.record_checksums()
        return table

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the rows, without the columns that serve the index."""
        schema = self._dataset.schema
        names = {*row_schema(1, 1).names, PLACES, *self.generations.code_columns}
        return pa.schema([f for f in schema if f.name in names], metadata=schema.metadata)

    @property
    def generations(self) -> StoredGenerations:
        """The codebook generations of the version in view."""
        with translate_errors(self.path):
            width = self._dataset.schema.field(CODE).type.byte_width
            return StoredGenerations.from_config(self._dataset.config(), width)

    @property
    def has_previews(self) -> bool:
        """Whether the version in view has the column of previews."""
        return PREVIEW.name in self._dataset.schema.names

    @property
    def places(self) -> int:
        """Number of cells that an entry is held in at most."""
        return most_places(self._dataset.schema)

    @property
    def indexed_column(self) -> str:
        """Column that the index of the generation in view is bound to."""
        return INDEXED if self.generation in (None, 1) else f"{INDEXED}_{self.generation}"

    def set_generations(self, generations: StoredGenerations) -> None:
        """Commit other generations, within :meth:`write`; fails if another process changed them."""
        with translate_errors(self.path):
            self._dataset.update_config({KEY: generations.to_json()})

    def add_column(self, field: pa.Field) -> None:
        """Add a column of nulls, unless one of that name exists."""

        def add() -> None:
            if field.name not in self._dataset.schema.names:
                self._dataset.add_columns(field)

        self.commit(add)

    def __len__(self) -> int:
        """Count the rows in view."""
        if self._has_all_rows:
            return int(self._dataset.count_rows())
        return sum(self.fragment_rows().values())

    @property
    def _has_all_rows(self) -> bool:
        return self.generation is None or len(self.generations) == 1

    def insert(self, rows: pa.Table) -> int:
        """Add the rows with new ids and leave all others unchanged; returns how many were added."""

        def insert() -> int:
            merge = self._dataset.merge_insert("id").when_not_matched_insert_all()
            return int(merge.conflict_retries(30).execute(rows)["num_inserted_rows"])

        return self.commit(insert)

    def upsert(self, rows: pa.Table) -> None:
        """Add rows, replacing those of the same ids."""

        def upsert() -> None:
            merge = self._dataset.merge_insert("id").when_matched_update_all()
            merge.when_not_matched_insert_all().conflict_retries(30).execute(rows)

        self.commit(upsert)

    def replace_previews(self, rows: pa.Table) -> int:
        """Set the previews of rows that still have a file; returns how many were set.

        `rows` has the columns id, file_sha256 and preview. Rows that another process has replaced
        meanwhile, with another file, stay as they are.
        """
        self.refresh()
        if not self.has_previews:
            self.add_column(PREVIEW)

        def update() -> int:
            merge = self._dataset.merge_insert("id")
            merge.when_matched_update_all("target.file_sha256 = source.file_sha256")
            return int(merge.conflict_retries(30).execute(rows)["num_updated_rows"])

        return self.commit(update)

    def replace_file(self, id: str, old: bytes, new: bytes, file: str | None) -> bool:  # noqa: A002
        """Record an entry's file, of the same picture, anew; False if it is no longer the old one.

        `file` is where it lies, None: not recorded.
        """
        values = {"file_sha256": f"X'{new.hex()}'"}
        if file is not None:
            values["file"] = _quoted(file)
        same = f"{_one_of([id])} AND file_sha256 = X'{old.hex()}'"
        rows = self.commit(lambda: self._dataset.update(values, where=same)["num_rows_updated"])
        return bool(rows)

    def merge_metadata(self, fields: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
        """Set fields of entries' metadata, by id; returns, for ids that exist, what changed.

        A value of None removes the field. Where another process changes the same entry meanwhile,
        Lance refuses the commit, and it is made again from what is recorded then.
        """

        def merge() -> dict[str, bool]:
            rows = self.lookup([*fields], ["metadata"])
            before = {row["id"]: metadata_of(row) for row in rows.values()}
            after = dict(before)
            for name, row in rows.items():
                whole = {**after[row["id"]], **fields[name]}
                after[row["id"]] = {key: v for key, v in whole.items() if v is not None}
            texts = {i: metadata_text(new) for i, new in after.items() if new != before[i]}
            if texts:
                names = self._dataset.schema
                columns = pa.schema([names.field("id"), names.field("metadata")])
                arrays = [
                    pa.array(texts.keys(), pa.string()),
                    pa.array(texts.values(), pa.string()),
                ]
                update = self._dataset.merge_insert("id").when_matched_update_all()
                update.conflict_retries(0).execute(pa.table(arrays, schema=columns))
            return {name: row["id"] in texts for name, row in rows.items()}

        return self.commit(merge)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the rows of these ids."""
        self.commit(lambda: self._dataset.delete(_one_of(ids)))

    def lookup(self, ids: Sequence[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Read some columns, and the id, of the entries of those of the ids that exist.

        An id finds the entry that has it in another of its spellings, unless one has it as given.
        """
        if not ids:
            return {}
        wanted = dict.fromkeys(form for each in ids for form in spellings(each))

        def read() -> pa.Table:
            with translate_errors(self.path):
                return self._dataset.to_table(columns=["id", *columns], filter=_one_of([*wanted]))

        rows = {row["id"]: row for row in self.retry(read).to_pylist()}
        # Of several the last one counts: the spelling that is given.
        return {each: rows[f] for each in ids for f in reversed(spellings(each)) if f in rows}

    def lookup_files(
        self, digests: Sequence[bytes], columns: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Read some columns, and the id, of rows whose file or source has one of these SHA-256."""
        if not digests:
            return []
        some = ", ".join(f"X'{digest.hex()}'" for digest in digests)
        condition = f"file_sha256 IN ({some}) OR source_sha256 IN ({some})"

        def read() -> pa.Table:
            with translate_errors(self.path):
                return self._dataset.to_table(columns=["id", *columns], filter=condition)

        found: list[dict[str, Any]] = self.retry(read).to_pylist()
        return found

    def rows(
        self, *, ids: Sequence[str] | None = None, with_vectors: bool = False
    ) -> Iterator[Row]:
        """Yield all rows, or those of some ids, in scan order; read batch by batch."""
        if ids is not None and not ids:
            return
        condition = None if ids is None else _one_of(ids)

        def begin() -> tuple[StoredGenerations, list[pa.RecordBatch], Iterator[pa.RecordBatch]]:
            columns = [n for n in self.schema.names if with_vectors or n != "vector"]
            scan = self.batches(columns, condition=condition)
            return self.generations, list(itertools.islice(scan, 1)), scan

        # Only the first batch can be read again, from a newer version, since rows already yielded
        # cannot be taken back; most archives have no other.
        generations, first, rest = self.retry(begin)
        for batch in itertools.chain(first, rest):
            vectors = None
            if with_vectors:
                flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
                vectors = flat.reshape(batch.num_rows, -1)
                batch = batch.drop_columns(["vector"])  # noqa: PLW2901 - the rest of the same batch
            for number, values in enumerate(batch.to_pylist()):
                vector = None if vectors is None else vectors[number]
                yield row_from_values(values, vector, generations)

    def page(self, *, prefix: str, state: str | None, after: str | None, limit: int) -> list[Row]:
        """Return the `limit` rows of least id that match; one scan of two small columns."""
        if limit < 1:
            raise UsageError(f"a page has at least 1 entry, not {limit}")
        least = pa.array([], pa.string())
        for batch in self.batches(["id", "state"]):
            ids = batch.column("id")
            matching = pc.starts_with(ids, prefix)
            for form in spellings(prefix)[1:]:
                matching = pc.or_(matching, pc.starts_with(ids, form))
            if state is not None:
                matching = pc.and_(matching, pc.equal(batch.column("state"), state))
            if after is not None:
                matching = pc.and_(matching, pc.greater(ids, after))
            both = pa.concat_arrays([least, ids.filter(matching)])
            least = both.take(pc.sort_indices(both)[:limit])
        if not len(least):
            return []
        rows = {row.id: row for row in self.rows(ids=least.to_pylist())}
        return [rows[name] for name in least.to_pylist() if name in rows]

    def batches(
        self,
        columns: Sequence[str],
        *,
        condition: str | None = None,
        addresses: bool = False,
        fragments: Sequence[int] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Scan columns in scan order, of all fragments or of some.

        Cells and codes are as stored; of one generation, as its codebook numbers them.
        """
        if self.generation is not None and not self._has_all_rows:
            yield from self._batches_of_generation(columns, self.generation, addresses, fragments)
            return
        with translate_errors(self.path):
            scanner = self._dataset.scanner(
                columns=list(columns),
                filter=condition,
                batch_size=16_384,
                scan_in_order=True,
                with_row_address=addresses,
                fragments=None if fragments is None else self._fragments(fragments),
            )
            yield from scanner.to_batches()

    def _batches_of_generation(
        self,
        columns: Sequence[str],
        generation: int,
        addresses: bool,
        fragments: Sequence[int] | None,
    ) -> Iterator[pa.RecordBatch]:
        stored = self.generations
        code, first = stored.code_column(generation), stored.first_cell(generation)
        read = [code if name == CODE else name for name in columns]
        for batch in Table(self._dataset, self.path).batches(
            read, condition=stored.condition(generation), addresses=addresses, fragments=fragments
        ):
            own = {name: batch.column(place) for place, name in enumerate(columns)}
            if "cell" in own:
                own["cell"] = pc.subtract(own["cell"], pa.scalar(first, pa.int32()))
            rest = {n: batch.column(n) for n in batch.schema.names if n not in read}
            yield pa.record_batch(own | rest)

    def _fragments(self, numbers: Sequence[int]) -> list[Any]:
        fragments = [self._dataset.get_fragment(number) for number in numbers]
        if None in fragments:
            raise ArchiveError(f"another process has rewritten a part of {shown(str(self.path))}")
        return fragments

    def fragment_rows(self) -> dict[int, int]:
        """Return the numbers of all fragments in scan order, with their counts of rows in view."""
        if self._has_all_rows:
            with translate_errors(self.path):
                fragments = self._dataset.get_fragments()
                return {f.fragment_id: f.physical_rows - f.num_deletions for f in fragments}
        rows: Counter[int] = Counter()
        for batch in self.batches([], addresses=True):
            fragment = batch.column("_rowaddr").to_numpy() >> FRAGMENT_SHIFT
            numbers, counts = np.unique(fragment, return_counts=True)
            rows.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
        return dict(rows)

    def take(self, positions: Iterable[int], columns: Sequence[str]) -> pa.Table:
        """Read columns of the rows at these positions of the scan order."""
        with translate_errors(self.path):
            return self._dataset.take(list(positions), columns=list(columns))

    def to_arrow(self, rows: Sequence[Row]) -> pa.Table:
        """Convert rows to an Arrow table of this schema."""
        return rows_to_table(rows, self.schema, self.generations)


def open_in_worker(path: Location, *, version: int | None = None) -> Table:
    """Open a table in a worker; UsageError if its machine cannot reach it."""
    try:
        return Table.open(path, version=version)
    except ArchiveError as error:
        raise refuse_in_worker(error) from error


def _one_of(ids: Sequence[str]) -> str:
    return f"id IN ({', '.join(map(_quoted, ids))})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
