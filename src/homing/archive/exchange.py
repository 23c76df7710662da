"""Exchange of rows by Parquet files: for other tools, other places and other archives."""

import datetime
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from homing.archive.codebooks import Generation, list_generations
from homing.archive.ids import composed
from homing.archive.ingest.run import refuse_store
from homing.archive.ingest.vector_files import is_array, is_of_vectors
from homing.archive.manifest import metadata_problem
from homing.archive.previews.record import CARRIED, carry, record_new_rows
from homing.archive.previews.store import PreviewStore
from homing.archive.results import Imported, Problem
from homing.archive.settings import ArchiveSettings
from homing.archive.table.commit import vector_problems
from homing.archive.table.generations import StoredGeneration, StoredGenerations
from homing.archive.table.location import Location, ObjectStorePath, recorded_place, resolve_place
from homing.archive.table.places import PLACES, places_field, places_of
from homing.archive.table.rows import (
    PREVIEW,
    codes_of_generation,
    renumber,
    schema_with_generations,
)
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook
from homing.errors import UsageError
from homing.files.durable import publish, staged_beside, sync_folder
from homing.files.regular import irregularity
from homing.images.limits import shown
from homing.images.preview import is_preview
from homing.options import PathLike

FORMAT, SEVERAL_GENERATIONS = 1, 2
HEADER = b"homing"
"""Key of the metadata of an exported file."""
_COMMIT = 4096  # rows recorded together
_GROUP = 1024  # rows exported together: with their previews some 16 MB
_DATES = tuple(  # microseconds: what Python's dates reach, in all time zones
    round(datetime.datetime(year, 1, 2, tzinfo=datetime.UTC).timestamp()) * 10**6
    for year in (1, 9999)
)
_NO_FOLDER = ObjectStorePath("")  # places are absolute in the file: it belongs to no archive

Progress = Callable[[int], None] | None


def export_rows(
    table: Table,
    settings: ArchiveSettings,
    archive: Location,
    file: PathLike,
    previews: bool,
    progress: Progress,
) -> int:
    """Write the version in view to a new Parquet file; UsageError if that exists.

    With `previews` they are a column of it; one that cannot be read is null.
    """
    refuse_store(file)
    final = Path(file)
    header = _header(settings, list_generations(table, settings))
    schema = _file_schema(table, previews=previews)
    schema = schema.with_metadata({HEADER: json.dumps(header).encode()})
    store = PreviewStore.of(archive, settings)
    taken = UsageError(f"{shown(final)} exists already; name another file")
    if final.exists() or final.is_symlink():  # checked before the work, and again by `publish`
        raise taken
    try:
        with staged_beside(final) as staged:
            write = partial(_write_rows, table, archive, schema, store, progress)
            count = table.retry(lambda: write(staged))  # another process may compact meanwhile
            with staged.open("rb+") as written:
                os.fsync(written.fileno())
            publish(staged, final)
            sync_folder(final.parent)
    except FileExistsError:
        raise taken from None
    except OSError as error:
        raise UsageError(f"nothing can be written to {shown(final)}: {error}") from error
    return count


def _write_rows(
    table: Table,
    archive: Location,
    schema: pa.Schema,
    store: PreviewStore,
    progress: Progress,
    file: Path,
) -> int:
    """Write the rows to a file, which may exist; return how many."""
    count = 0
    # Of a relative path, Arrow would take a first part with a colon for a scheme.
    with pq.ParquetWriter(file.absolute(), schema, write_page_checksum=True) as writer:
        for batch in table.batches(schema.names):
            whole = _with_places(pa.Table.from_batches([batch]), archive, _NO_FOLDER)
            for first in range(0, whole.num_rows, _GROUP):
                rows = _with_previews(whole.slice(first, _GROUP), store)
                writer.write_table(rows.cast(schema))
                count += rows.num_rows
                if progress is not None:
                    progress(rows.num_rows)
    return count


def _file_schema(table: Table, *, previews: bool) -> pa.Schema:
    """Schema of an exported file: the table's, with the previews themselves or without."""
    schema = _without(table.schema, PLACES)  # which follow from the vectors
    if not table.has_previews:
        return schema
    number = schema.get_field_index(PREVIEW.name)
    return schema.set(number, CARRIED) if previews else schema.remove(number)


def _with_previews(rows: pa.Table, store: PreviewStore) -> pa.Table:
    """Replace the references to previews, if the rows have them, by the previews."""
    if PREVIEW.name not in rows.schema.names:
        return rows
    found = store.find(rows.column(PREVIEW.name).to_pylist())
    return carry(rows, [each if isinstance(each, bytes) else None for each in found])


def _header(settings: ArchiveSettings, generations: Sequence[Generation]) -> dict[str, Any]:
    header = {
        "format": FORMAT,
        "descriptor": settings.descriptor,
        "descriptor_fingerprint": settings.descriptor_fingerprint,
        "codebook": settings.codebook,
        "codebook_fingerprint": settings.codebook_fingerprint,
    }
    if len(generations) == 1:
        return header
    return header | {
        "format": SEVERAL_GENERATIONS,
        "generations": [generation.as_dict() for generation in generations],
    }


def _with_places(rows: pa.Table, old: Location, new: Location) -> pa.Table:
    """Write the places of rows' files for another folder of the archive."""
    places = [
        None if text is None else recorded_place(resolve_place(text, old), new)
        for text in rows.column("file").to_pylist()
    ]
    number = rows.schema.get_field_index("file")
    return rows.set_column(number, rows.schema.field(number), pa.array(places, pa.string()))


def is_export(path: Path) -> bool:
    """Return whether a file is one that :func:`export_rows` wrote, or may be: it is damaged."""
    if is_array(path):
        return False
    try:
        if irregularity(path):
            return True
        with pq.ParquetFile(path.absolute()) as opened:
            return HEADER in (opened.schema_arrow.metadata or {}) or not is_of_vectors(opened)
    except (OSError, ValueError, pa.ArrowException):
        return True


def import_rows(
    table: Table,
    settings: ArchiveSettings,
    codebooks: Sequence[Codebook],
    archive: Location,
    file: PathLike,
    progress: Progress,
) -> Imported:
    """Record the rows of an exported file, with their previews if it has them.

    Raises UsageError if the file is unreadable or no export, or is of another descriptor or of a
    codebook that the archive does not have.
    """
    refuse_store(file)
    path = Path(file)
    store = PreviewStore.of(archive, settings)
    imported = skipped = 0
    problems: list[Problem] = []
    try:
        if wrong := irregularity(path):
            raise UsageError(f"{shown(path)} {wrong}")
        if not path.exists():
            raise UsageError(f"{shown(path)} cannot be imported: there is no such file")
        with pq.ParquetFile(path.absolute(), page_checksum_verification=True) as opened:
            header = _check_header(opened.schema_arrow.metadata or {}, settings, path)
            same = _same_generations(header, codebooks, path)
            theirs = _stored([codebooks[number - 1] for number in same.values()])
            ours = _stored(codebooks)  # generations adopted from now on follow these
            read = _without(schema_with_generations(theirs, settings.dimension), PREVIEW.name)
            schema = _without(table.schema, PREVIEW.name, PLACES)
            for batch in opened.iter_batches(_COMMIT, columns=[*read.names, PREVIEW.name]):
                whole = pa.Table.from_batches([batch])
                rows = renumber(whole.select(read.names).cast(read), theirs, ours, same, schema)
                rows = carry(_with_places(rows, _NO_FOLDER, archive), _previews_in(whole))
                reasons = _reasons(rows, ours, codebooks)
                ids = rows.column("id").to_pylist()
                problems += (Problem(ids[n], reason) for n, reason in reasons.items())
                good = [number not in reasons for number in range(len(ids))]
                rows = _with_further(rows.filter(pa.array(good)), ours, codebooks, table.places)
                new, existing, refused = record_new_rows(table, store, rows)
                imported, skipped = imported + new, skipped + existing
                problems += refused
                if progress is not None:
                    progress(batch.num_rows)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise UsageError(f"{shown(path)} cannot be imported: {error}") from error
    return Imported(imported, skipped, tuple(problems))


def _without(schema: pa.Schema, *names: str) -> pa.Schema:
    return pa.schema([field for field in schema if field.name not in names])


def _with_further(
    rows: pa.Table, generations: StoredGenerations, codebooks: Sequence[Codebook], most: int
) -> pa.Table:
    """Give rows the further places that they have in an archive of `most` places an entry."""
    if most == 1:
        return rows
    released = np.array(rows.column("state").to_pylist(), dtype=object) == "released"
    vectors, values = _vectors(rows), np.full(rows.num_rows, None, dtype=object)
    for number, codebook in enumerate(codebooks, start=1):
        positions, _, _ = codes_of_generation(rows, generations, number)
        if len(positions):
            own = places_of(codebook, vectors[positions], released[positions].tolist(), most)
            values[positions] = own
    return rows.append_column(places_field(most), pa.array(values.tolist(), pa.binary()))


def _vectors(rows: pa.Table) -> NDArray[np.float32]:
    column = rows.column("vector")
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors: NDArray[np.float32] = flat.reshape(-1, column.type.list_size).astype(np.float32)
    return vectors


def _previews_in(rows: pa.Table) -> list[bytes | None]:
    """Return the previews of a file's rows; an older one has none."""
    if PREVIEW.name not in rows.schema.names:
        return [None] * rows.num_rows
    previews: list[bytes | None] = rows.column(PREVIEW.name).cast(pa.binary()).to_pylist()
    return previews


def _stored(codebooks: Sequence[Codebook]) -> StoredGenerations:
    return StoredGenerations(tuple(StoredGeneration.of(codebook) for codebook in codebooks))


def _check_header(
    metadata: Mapping[bytes, bytes], settings: ArchiveSettings, path: Path
) -> Mapping[str, Any]:
    header = json.loads(metadata.get(HEADER, b"null"))
    if not isinstance(header, dict):
        raise UsageError(
            f"{shown(path)} is not a file that 'homing export' has written, and has no columns "
            "'id' and 'vector'"
        )
    if header.get("format") not in (FORMAT, SEVERAL_GENERATIONS):
        raise UsageError(
            f"{shown(path)} has format {header.get('format')!r}; this version of homing knows "
            f"formats {FORMAT} and {SEVERAL_GENERATIONS}"
        )
    if header.get("descriptor_fingerprint") != settings.descriptor_fingerprint:
        raise UsageError(
            f"{shown(path)} is of the descriptor {header.get('descriptor')} "
            f"({header.get('descriptor_fingerprint')}), and the archive has {settings.descriptor} "
            f"({settings.descriptor_fingerprint}); import it into an archive made with the same"
        )
    return header


def _same_generations(
    header: Mapping[str, Any],
    codebooks: Sequence[Codebook],
    path: Path,
) -> dict[int, int]:
    """Number in the archive of each generation of a file."""
    fingerprints = [codebook.fingerprint for codebook in codebooks]
    same = {}
    for number, generation in enumerate(header.get("generations", [header]), start=1):
        fingerprint = generation["codebook_fingerprint"]
        if fingerprint not in fingerprints:
            theirs = f"{generation['codebook']} ({fingerprint})"
            ours = f"{codebooks[-1].factory} ({fingerprints[-1]})"
            raise UsageError(
                f"{shown(path)} is of the codebook {theirs}, and the archive has {ours}; import it "
                "into an archive made with the same, or adopt that codebook in this one first"
            )
        same[number] = fingerprints.index(fingerprint) + 1
    return same


def _reasons(
    rows: pa.Table, generations: StoredGenerations, codebooks: Sequence[Codebook]
) -> dict[int, str]:
    """Find rows that cannot be recorded: their positions, with the reason."""
    vectors = _vectors(rows)
    wrong: dict[int, str | None] = {}
    for number, codebook in enumerate(codebooks, start=1):
        positions, cells, codes = codes_of_generation(rows, generations, number)
        if len(positions):
            stored = (code.tobytes() for code in codes)
            found = vector_problems(codebook, vectors[positions], cells.tolist(), stored)
            wrong |= dict(zip(positions.tolist(), found, strict=True))
    columns = ("id", "state", PREVIEW.name, "metadata", "psnr")
    values = [rows.column(name).to_pylist() for name in columns]
    # As numbers: Python's dates do not reach as far.
    dates = rows.column("created_at").cast(pa.int64()).to_pylist()
    seen: Counter[str] = Counter()
    reasons: dict[int, str] = {}
    for number, (name, *others) in enumerate(zip(*values, dates, strict=True)):
        seen[composed(name)] += 1
        if reason := wrong[number]:
            reasons[number] = reason
        elif not name:
            reasons[number] = "its id is empty"
        elif seen[composed(name)] > 1:
            reasons[number] = "the id stands twice"
        elif reason := _unfit(*others):
            reasons[number] = reason
    return reasons


def _unfit(
    state: str, preview: bytes | None, metadata: str | None, psnr: float | None, date: int
) -> str | None:
    """Say why a row cannot be recorded, by its values."""
    if state not in ("released", "added"):
        return f"its state is {state!r}, neither released nor added"
    if preview is not None and not is_preview(preview):
        return "its preview is no WebP; export it with --no-previews"
    if not np.isfinite(psnr or 0) or not _DATES[0] <= date < _DATES[1]:
        return "its date or its PSNR is out of range"
    try:
        return metadata_problem(json.loads(metadata)) if metadata else None
    except (ValueError, RecursionError):
        return metadata_problem(None)
