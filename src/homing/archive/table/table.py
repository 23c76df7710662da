"""The record of an archive: one Lance dataset, a row for every picture.

The only module that writes to Lance. Its id column is the schema's unenforced primary key, without
which concurrent merges of the same ids were seen to double rows. That column must have no scalar
index either, though each look at ids and each merge scans all of them: with a B-tree Lance 14 takes
another way to merge, which knows nothing of the key, and of 1,000 ids that three processes merged
at once up to 550 came out double.

Nor may versions be forgotten under a commit that began before them: Lance then sees no conflict,
and a compaction brings back the rows that another process has removed meanwhile (seen with Lance
14). Writers therefore hold a lock together, and who forgets versions holds it alone.
"""

import datetime
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import lance
import numpy as np
import pyarrow as pa

from homing.archive.table.generations import CODE, KEY, Generations
from homing.archive.table.location import Location, ObjectStorePath, reason_of
from homing.archive.table.rows import Row, row_of, row_schema, rows_to_table
from homing.errors import ArchiveError, UsageError
from homing.files.locks import hold_lock_within, share_lock
from homing.images import shown

INDEXED = "indexed"
"""A column without values, which the index of an archive is bound to (see `segments`); that of a
later generation has its number behind it."""

_T = TypeVar("_T")


_LOOKS = 5  # for the newest version
_PATIENCE = 5.0  # seconds for writers to commit what they have in hand
_IN_FLIGHT = datetime.timedelta(hours=1)  # that a commit may take where there are no locks

# What Lance may keep in memory: by default it takes several gigabytes.
_INDEX_CACHE, _METADATA_CACHE = 256 << 20, 128 << 20


class Table:
    """The rows of an archive at one version; writing moves on to the version written.

    Attributes
    ----------
    generation : int or None
        If given, only rows of this codebook generation are counted and scanned, with cells and
        codes as that codebook knows them; see :meth:`of`.
    """

    def __init__(
        self,
        dataset: lance.LanceDataset,
        path: Location,
        *,
        pinned: bool = False,
        generation: int | None = None,
    ) -> None:
        self._dataset = dataset
        self._pinned = pinned
        self.path = path
        self.generation = generation

    def of(self, generation: int) -> "Table":
        """The rows of one codebook generation; it moves on together with this record."""
        return Table(self._dataset, self.path, pinned=self._pinned, generation=generation)

    @classmethod
    def create(cls, path: Location, *, dimension: int, code_size: int) -> "Table":
        """Make an empty record."""
        schema = row_schema(dimension, code_size)
        with translated(path):
            dataset = lance.write_dataset(schema.empty_table(), _uri(path), schema=schema)
        return cls(dataset, path)

    @classmethod
    def open(cls, path: Location, *, version: int | None = None) -> "Table":
        """Open the newest version, or one that is past, which can only be read."""
        uri = _uri(path)
        session = lance.Session(
            index_cache_size_bytes=_INDEX_CACHE, metadata_cache_size_bytes=_METADATA_CACHE
        )
        if version is None:
            return cls(_newest(path, lambda: lance.dataset(uri, session=session)), path)
        table = cls.open(path)
        if version not in (known["version"] for known in table.versions()):
            raise ArchiveError(
                f"there is no version {version} of {shown(str(path))}; see 'homing versions'"
            )
        with translated(path):
            return cls(lance.dataset(uri, version=version, session=session), path, pinned=True)

    def versions(self) -> list[dict[str, Any]]:
        """All versions that are still there, with ``version`` and ``created_at``; oldest first."""
        with translated(self.path):
            return [
                {
                    "version": int(known["version"]),
                    "created_at": known["timestamp"].astimezone(datetime.UTC),
                }
                for known in self._dataset.versions()
            ]

    def refuse_if_past(self) -> None:
        """Refuse to change a version that is past."""
        if self._pinned:
            raise UsageError(
                f"version {self.version} of {shown(str(self.path))} is past: it can be read and "
                "exported, but not changed"
            )

    @property
    def dataset(self) -> lance.LanceDataset:
        """The version in view, as Lance has it; for the parts of the archive alone."""
        return self._dataset

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the rows: of what is told of a picture, without what serves the index."""
        schema, layout = self._dataset.schema, self.layout
        told = {*row_schema(1, 1).names, *layout.columns}
        return pa.schema([f for f in schema if f.name in told], metadata=schema.metadata)

    @property
    def layout(self) -> Generations:
        """How rows of the version in view say of which codebook generation they are."""
        with translated(self.path):
            width = self._dataset.schema.field("code").type.byte_width
            return Generations.read(self._dataset.config(), width)

    @property
    def indexed_column(self) -> str:
        """Column that the index of the generation in view is bound to."""
        return INDEXED if self.generation in (None, 1) else f"{INDEXED}_{self.generation}"

    def set_layout(self, layout: Generations) -> None:
        """Commit another layout, within :meth:`written`.

        Refused where another process has changed it meanwhile.
        """
        with translated(self.path):
            self._dataset.update_config({KEY: layout.text()})

    def add_column(self, field: pa.Field) -> None:
        """Give all rows an empty column, if there is none of that name."""

        def write() -> None:
            if field.name in self._dataset.schema.names:
                return
            with translated(self.path):
                self._dataset.add_columns(field)

        self.written(write)

    @property
    def version(self) -> int:
        """Number of the version in view."""
        return int(self._dataset.version)

    def __len__(self) -> int:
        """Count the rows of the version in view."""
        if self._whole:
            return int(self._dataset.count_rows())
        return sum(self.rows_of_fragments().values())

    @property
    def _whole(self) -> bool:
        """Whether all rows are in view."""
        return self.generation is None or len(self.layout) == 1

    def refresh(self) -> None:
        """Move on to the newest version, unless one that is past was asked for."""
        if not self._pinned:
            _newest(self.path, self._dataset.checkout_latest)

    def still(self) -> "Table":
        """The version in view on a handle of its own, which nothing moves any more.

        For threads that may yet be reading when others go on: while one reads through a handle of
        Lance's, that handle cannot be moved to another version.
        """
        with translated(self.path):
            dataset = self._dataset.checkout_version(self.version)
        return Table(dataset, self.path, pinned=True, generation=self.generation)

    def moves_on(self) -> bool:
        """Whether it follows what is written; False of a version that is past."""
        return not self._pinned

    def superseded(self) -> bool:
        """Whether there is a newer version than the one in view; False where nobody can tell."""
        try:
            with translated(self.path):
                return int(self._dataset.latest_version) != self.version
        except ArchiveError:
            return False

    def retried(self, action: Callable[[], _T]) -> _T:
        """Do something with the version in view; again with a newer one if that one is gone.

        Another process that compacts removes the files of old versions, ours perhaps among them.
        Whatever fails for another reason fails again, or has no newer version to try.
        """
        while True:
            version = self.version
            try:
                return action()
            except ArchiveError:
                self.refresh()
                if self.version == version:
                    raise

    def written(self, action: Callable[[], _T]) -> _T:
        """Do something that commits, from the newest version on, and move on to what it made.

        Lance tells from the versions since its own whether a commit is in another's way. So these
        must stay until it has committed: who forgets versions (:meth:`compact`) waits.
        """
        self.refuse_if_past()
        with self._unforgotten():
            self.refresh()
            made = self.retried(action)
            self.refresh()
        return made

    def _unforgotten(self) -> AbstractContextManager[None]:
        lock = self._lock
        return nullcontext() if lock is None else share_lock(lock)

    @property
    def _lock(self) -> Path | None:
        """File by which writers keep the versions they need; none in an object store."""
        return self.path.with_suffix(".lock") if isinstance(self.path, Path) else None

    def insert(self, rows: pa.Table) -> int:
        """Add rows whose ids are not there yet; rows already there stay as they are.

        Returns
        -------
        int
            How many were added.
        """

        def write() -> int:
            with translated(self.path):
                merge = self._dataset.merge_insert("id").when_not_matched_insert_all()
                done = merge.conflict_retries(30).execute(rows)
            return int(done["num_inserted_rows"])

        return self.written(write)

    def upsert(self, rows: pa.Table) -> None:
        """Add rows, replacing those of the same ids."""

        def write() -> None:
            with translated(self.path):
                merge = self._dataset.merge_insert("id").when_matched_update_all()
                merge.when_not_matched_insert_all().conflict_retries(30).execute(rows)

        self.written(write)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the rows of those ids."""

        def write() -> None:
            with translated(self.path):
                self._dataset.delete(_one_of(ids))

        self.written(write)

    def lookup(self, ids: Sequence[str], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Values of some columns for those of the ids that are there."""
        if not ids:
            return {}

        def read() -> pa.Table:
            with translated(self.path):
                return self._dataset.to_table(columns=["id", *columns], filter=_one_of(ids))

        return {row["id"]: row for row in self.retried(read).to_pylist()}

    def rows(
        self, *, ids: Sequence[str] | None = None, with_vectors: bool = False
    ) -> Iterator[Row]:
        """All rows, or those of some ids, in the order recorded; read batch by batch."""
        chosen = None if ids is None else _one_of(ids)

        def begin() -> tuple[Generations, list[pa.RecordBatch], Iterator[pa.RecordBatch]]:
            columns = [n for n in self.schema.names if with_vectors or n != "vector"]
            scan = self.batches(columns, chosen=chosen)
            return self.layout, list(itertools.islice(scan, 1)), scan

        # Only the first batch can be read again, from a newer version, since rows given out cannot
        # be taken back; most archives have no other.
        layout, first, rest = self.retried(begin)
        for batch in itertools.chain(first, rest):
            vectors = None
            if with_vectors:
                flat = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
                vectors = flat.reshape(batch.num_rows, -1)
                batch = batch.drop_columns(["vector"])  # noqa: PLW2901 - the rest of the same batch
            for position, values in enumerate(batch.to_pylist()):
                yield row_of(values, None if vectors is None else vectors[position], layout)

    def batches(
        self,
        columns: Sequence[str],
        *,
        chosen: str | None = None,
        addresses: bool = False,
        fragments: Sequence[int] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Scan columns in the order recorded; of all fragments, or of some.

        Cells and codes of one generation are as its codebook knows them; else as they lie there.
        """
        if self.generation is not None and not self._whole:
            yield from self._of_generation(columns, self.generation, addresses, fragments)
            return
        with translated(self.path):
            scanner = self._dataset.scanner(
                columns=list(columns),
                filter=chosen,
                batch_size=16_384,
                scan_in_order=True,
                with_row_address=addresses,
                fragments=None if fragments is None else self._fragments(fragments),
            )
            yield from scanner.to_batches()

    def _of_generation(
        self,
        columns: Sequence[str],
        generation: int,
        addresses: bool,
        fragments: Sequence[int] | None,
    ) -> Iterator[pa.RecordBatch]:
        layout = self.layout
        code, first = layout.column(generation), layout.first_cell(generation)
        read = [code if name == CODE else name for name in columns]
        for batch in Table(self._dataset, self.path).batches(
            read, chosen=layout.condition(generation), addresses=addresses, fragments=fragments
        ):
            own = {name: batch.column(place) for place, name in enumerate(columns)}
            if "cell" in own:
                own["cell"] = pa.compute.subtract(own["cell"], pa.scalar(first, pa.int32()))
            rest = {n: batch.column(n) for n in batch.schema.names if n not in read}
            yield pa.record_batch(own | rest)

    def _fragments(self, numbers: Sequence[int]) -> list[Any]:
        found = [self._dataset.get_fragment(number) for number in numbers]
        if None in found:
            raise ArchiveError(f"another process has rewritten a part of {shown(str(self.path))}")
        return found

    def again(self) -> "Table":
        """Open the record once more, at the same version if that is one that is past."""
        return Table.open(self.path, version=self.version if self._pinned else None)

    def rows_of_fragments(self) -> dict[int, int]:
        """Numbers of all fragments, in the record's order, and their rows; of those in view."""
        if self._whole:
            with translated(self.path):
                fragments = self._dataset.get_fragments()
                return {f.fragment_id: f.physical_rows - f.num_deletions for f in fragments}
        rows: Counter[int] = Counter()
        for batch in self.batches([], addresses=True):
            numbers, counts = np.unique(
                batch.column("_rowaddr").to_numpy() >> 32, return_counts=True
            )
            rows.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
        return dict(rows)

    def age(self) -> float:
        """Seconds since the version in view was committed."""
        with translated(self.path):
            return time.time() - float(self._dataset.versions()[-1]["timestamp"].timestamp())

    def take(self, positions: Iterable[int], columns: Sequence[str]) -> pa.Table:
        """Columns of the rows at those positions of the scan order."""
        with translated(self.path):
            return self._dataset.take(list(positions), columns=list(columns))

    def compact(self, keep: datetime.timedelta = datetime.timedelta(0)) -> dict[str, int]:
        """Merge small files, drop the rows removed, and forget versions older than `keep`.

        In an object store, and where others are writing all the time, versions of the last hour
        stay: a commit in flight may need them.
        """

        def merge() -> Any:
            with translated(self.path):
                return self._dataset.optimize.compact_files()

        metrics = self.written(merge)  # what another has removed meanwhile cannot be merged
        lock = self._lock
        with nullcontext(False) if lock is None else hold_lock_within(lock, _PATIENCE) as alone:
            older = keep if alone else max(keep, _IN_FLIGHT)
            with translated(self.path):
                cleaned = self._dataset.cleanup_old_versions(
                    older_than=older, delete_unverified=False
                )
                self._dataset.checkout_latest()
        return {
            "files_removed": int(metrics.files_removed),
            "files_added": int(metrics.files_added),
            "bytes_freed": int(cleaned.bytes_removed),
        }

    def to_arrow(self, rows: Sequence[Row]) -> pa.Table:
        """Rows as an Arrow table of the record's schema."""
        return rows_to_table(rows, self.schema, self.layout)


def _one_of(ids: Sequence[str]) -> str:
    quoted = ", ".join("'" + text.replace("'", "''") + "'" for text in ids)
    return f"id IN ({quoted})"


def _uri(path: Location) -> str:
    """Lance takes UTF-8 alone, whatever encoding the system gives its names."""
    if isinstance(path, ObjectStorePath):
        return path.uri
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise ArchiveError(f"the path {shown(path)!r} is not UTF-8; choose another") from None


def _newest(path: Location, look: Callable[[], _T]) -> _T:
    """Look for the newest version.

    Between finding its number and reading it, another process may have committed a newer one, and
    compacted, which takes the version found away.
    """
    for left in reversed(range(_LOOKS)):
        try:
            with translated(path):
                return look()
        except ArchiveError:
            if not left or (isinstance(path, Path) and not path.exists()):
                raise
    raise AssertionError


@contextmanager
def translated(path: Location) -> Iterator[None]:
    """Lance raises ValueError, OSError and RuntimeError; users get one error that says where."""
    try:
        yield
    except (ValueError, OSError, RuntimeError, pa.ArrowException) as error:
        if isinstance(path, Path) and not path.exists():
            raise ArchiveError(
                f"there is no record at {shown(path)}; was the archive moved or removed?"
            ) from error
        raise ArchiveError(
            f"the record at {shown(str(path))} cannot be read or written: {reason_of(error)}"
        ) from error
