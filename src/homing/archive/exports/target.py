"""Export of an archive, to what its target's name says."""

from collections.abc import Callable, Sequence
from pathlib import Path

from homing.archive.exchange import export_rows
from homing.archive.exports.faiss_file import export_index, is_index
from homing.archive.exports.postgres import export_to_postgres, is_database
from homing.archive.settings import ArchiveSettings
from homing.archive.table.location import Location
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook
from homing.errors import UsageError
from homing.images.limits import shown
from homing.options import PathLike

_TEXTS = (".csv", ".tsv", ".json", ".jsonl", ".txt", ".xlsx")  # formats that are not written


def export_entries(
    table: Table,
    settings: ArchiveSettings,
    archive: Location,
    codebooks: Sequence[Codebook],
    target: PathLike,
    previews: bool,
    generation: int | None,
    progress: Callable[[int], None] | None,
) -> int:
    """Write the version in view to a Parquet file, a Faiss index or a database."""
    if is_database(target):
        return export_to_postgres(table, settings, codebooks, str(target), progress)
    if is_index(target):
        return export_index(table, codebooks, target, generation, progress)
    if Path(target).suffix.lower() in _TEXTS:
        raise UsageError(
            f"{shown(Path(target))}: an export is a Parquet file (.parquet), a Faiss index "
            "(.faiss) or a database (postgresql://…); 'homing list ARCHIVE --json' prints entries "
            "as text"
        )
    return export_rows(table, settings, archive, target, previews, progress)
