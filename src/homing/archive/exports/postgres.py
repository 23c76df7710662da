"""Archives as Postgres tables with pgvector: a probe is a look-up by the number of a cell.

``homing_entries`` has a row for each entry, and an index on generation and cell. ``homing_cells``
has the centroid of each cell, so that SQL finds the cells to probe. Both lie in the schema that
comes first in the connection's ``search_path``.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.settings import ArchiveSettings
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook
from homing.errors import UsageError
from homing.extras import require_packages
from homing.options import PathLike

if TYPE_CHECKING:
    import psycopg

_SCHEMES = ("postgres://", "postgresql://")
_COMMIT = 10_000  # entries written together
_COLUMNS = (
    "id, generation, cell, state, file_sha256, width, height, psnr, created_at, metadata, vector"
)
TABLES = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    """CREATE TABLE IF NOT EXISTS homing_cells (
        generation integer NOT NULL, cell integer NOT NULL, centroid vector NOT NULL,
        PRIMARY KEY (generation, cell))""",
    """CREATE TABLE IF NOT EXISTS homing_entries (
        id text PRIMARY KEY, generation integer NOT NULL, cell integer NOT NULL,
        state text NOT NULL, file_sha256 bytea NOT NULL, width integer, height integer, psnr real,
        created_at timestamptz, metadata jsonb, vector vector NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS homing_entries_by_cell ON homing_entries (generation, cell)",
)

_Key = tuple[str, bytes]  # state and digest of an entry's file: what changes if an entry does


def is_database(file: PathLike) -> bool:
    """Return whether a place is a Postgres database."""
    return str(file).startswith(_SCHEMES)


def export_to_postgres(
    table: Table,
    settings: ArchiveSettings,
    codebooks: Sequence[Codebook],
    address: str,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Bring the tables of a database to the archive's version in view; returns its entries.

    Only entries that are new, changed or removed since the last run are written, in one
    transaction. UsageError if the database cannot be reached or written, or has another archive.
    """
    require_packages("postgres", {"psycopg": "psycopg"}, "an export to Postgres")
    import psycopg

    try:
        with psycopg.connect(address) as connection:
            for statement in TABLES:
                connection.execute(statement)
            _claim(connection, settings.identity)
            _write_cells(connection, codebooks)
            return _write_entries(connection, table.rows(with_vectors=True), progress)
    except psycopg.Error as error:
        raise UsageError(f"Postgres: {str(error).strip()}") from error


def _claim(connection: "psycopg.Connection[Any]", identity: str) -> None:
    """Mark the tables as this archive's; refuse those of another one."""
    own = f"homing archive {identity}"
    found = connection.execute(
        "SELECT obj_description(to_regclass('homing_entries'), 'pg_class')"
    ).fetchone()
    if found is not None and found[0] not in (None, own):
        raise UsageError(
            "the table homing_entries has the entries of another archive: name another schema, "
            "as in postgresql://host/database?options=-csearch_path%3Dother,public"
        )
    connection.execute(f"COMMENT ON TABLE homing_entries IS '{_quoted(own)}'")


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _write_cells(connection: "psycopg.Connection[Any]", codebooks: Sequence[Codebook]) -> None:
    """Write the centroids of generations that have none yet; codebooks never change."""
    known = {row[0] for row in connection.execute("SELECT DISTINCT generation FROM homing_cells")}
    cursor = connection.cursor()
    copy = "COPY homing_cells (generation, cell, centroid) FROM STDIN"
    for number, codebook in enumerate(codebooks, start=1):
        partition = codebook.partition
        if number in known or partition.centroids is None:
            continue
        with cursor.copy(copy) as rows:
            for cell, centroid in enumerate(partition.undo(partition.centroids)):
                rows.write_row((number, cell, _as_text(centroid)))


def _write_entries(
    connection: "psycopg.Connection[Any]",
    entries: Iterable[Row],
    progress: Callable[[int], None] | None,
) -> int:
    query = "SELECT id, state, file_sha256 FROM homing_entries"
    gone: dict[str, _Key] = {row[0]: (row[1], row[2]) for row in connection.execute(query)}
    count, rest = 0, iter(entries)
    while chunk := list(islice(rest, _COMMIT)):
        new = [row for row in chunk if gone.get(row.id) != (row.state, row.file_sha256)]
        _replace(connection, new, [row.id for row in new if row.id in gone])
        for row in chunk:
            gone.pop(row.id, None)
        count += len(chunk)
        if progress is not None:
            progress(len(chunk))
    _remove(connection, list(gone))
    return count


def _replace(
    connection: "psycopg.Connection[Any]", rows: Sequence[Row], present: list[str]
) -> None:
    _remove(connection, present)
    with connection.cursor().copy(f"COPY homing_entries ({_COLUMNS}) FROM STDIN") as copy:
        for values in _values(rows):
            copy.write_row(values)


def _remove(connection: "psycopg.Connection[Any]", ids: list[str]) -> None:
    if ids:
        connection.execute("DELETE FROM homing_entries WHERE id = ANY(%s)", (ids,))


def _values(rows: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        assert row.vector is not None
        metadata = json.dumps(dict(row.metadata or {}), ensure_ascii=False)
        yield (
            *(row.id, row.generation, row.cell, row.state, row.file_sha256),
            *(row.width, row.height, row.psnr, row.created_at, metadata, _as_text(row.vector)),
        )


def _as_text(vector: NDArray[np.floating[Any]]) -> str:
    """Return a vector as pgvector reads it."""
    return str(vector.astype(np.float32).tolist())
