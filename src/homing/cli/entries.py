"""``list``, ``show``, ``remove``, ``export``, ``import``, ``versions``: entries of an archive."""

import re
from typing import Any

import click

from homing.cli import options as shared
from homing.cli.output import (
    echo,
    emit,
    finish,
    print_result,
    printable,
    progress,
    quantity,
    say,
    show_outcomes,
)
from homing.errors import EntryNotFoundError


@click.command("list")
@shared.archive_argument
@shared.version_option
@shared.json_option
def list_(archive: str, version: int | None, as_json: bool) -> None:
    """List the entries, oldest first.

    \b
    homing list archive
    homing list archive --json | jq .id
    """
    for row in shared.open_archive(archive, version=version).entries():
        decibels = "" if row.psnr is None else f"{row.psnr:5.2f} dB"
        size = f"{row.width}x{row.height}"
        line = f"{row.state:8}  {size:>11}  {decibels:8}  {printable(row.id)}"
        print_result(row.as_dict(), line, as_json=as_json)


@click.command()
@shared.archive_argument
@shared.ids_argument
@shared.version_option
@shared.json_option
def show(archive: str, ids: tuple[str, ...], version: int | None, as_json: bool) -> int:
    """Show all fields of entries.

    \b
    homing show archive holidays/beach.jpg
    """
    opened = shared.open_archive(archive, version=version)
    status = 0
    for entry in ids:
        try:
            values = opened.entry(entry).as_dict()
        except EntryNotFoundError as error:
            status = error.exit_code
            say(f"homing: {error}")
            continue
        if as_json:
            emit(values)
            continue
        for key, value in values.items():
            echo(f"{key:14}  {printable(str(value))}")
    return status


@click.command(short_help="Record captions of entries that are there already.")
@shared.archive_argument
@click.argument("manifest", type=click.Path(dir_okay=False))
@click.argument("folder", required=False, type=click.Path(file_okay=False))
@shared.json_option
def annotate(archive: str, manifest: str, folder: str | None, as_json: bool) -> int:
    """Record captions and other metadata of entries that are there already.

    \b
    homing annotate archive photos.csv
    homing annotate archive photos.csv photos/

    MANIFEST is a list of pictures as 'homing release --manifest' takes it. Its columns beside
    'path' and 'id' are set, empty cells change nothing, and all else of an entry stays. FOLDER is
    only needed if the paths are absolute: the folder that they start from.
    """
    opened = shared.open_archive(archive)
    with show_outcomes("annotating", as_json=as_json, ends_alone=False) as observer:
        report = opened.annotate(manifest, folder=folder, progress=observer)
    return finish(report)


@click.command(short_help="Remove entries; released files stay.")
@shared.archive_argument
@shared.ids_argument
@shared.json_option
def remove(archive: str, ids: tuple[str, ...], as_json: bool) -> int:
    """Remove entries from the archive; released files stay where they are.

    \b
    homing remove archive holidays/beach.jpg
    """
    removed = set(shared.open_archive(archive).remove(ids))
    for entry in ids:
        status = "removed" if entry in removed else "not there"
        line = f"{status:9}  {printable(entry)}"
        print_result(
            {"id": entry, "status": status}, line, as_json=as_json, err=entry not in removed
        )
    return 0 if removed >= set(ids) else 1


@click.command(short_help="Write all entries to a file or a database.")
@shared.archive_argument
@click.argument("file", metavar="FILE|URL", type=click.Path(dir_okay=False))
@click.option("--previews/--no-previews", default=True, help="Write the previews too.")
@click.option(
    "--generation",
    type=click.IntRange(min=1),
    help="For Faiss: the codebook whose entries are written, if there are several.",
)
@shared.version_option
@shared.json_option
def export(archive: str, file: str, **options: Any) -> None:
    """Write all entries to a Parquet file, a Faiss index, or a Postgres database.

    \b
    homing export archive rows.parquet
    homing export archive before.parquet --version 12
    homing export archive small.parquet --no-previews
    homing export archive index.faiss
    homing export archive postgresql://localhost/pictures

    A Parquet file holds vectors and previews, and 'homing import' reads it. A file ending in .faiss
    opens in plain Faiss; FILE.ids.json names its entries. Of a Postgres database (with pgvector)
    the tables are brought up to date.
    """
    opened = shared.open_archive(archive, version=options["version"])
    chosen = {key: options[key] for key in ("previews", "generation")}
    with progress(len(opened), "exporting") as bar:
        rows = opened.export(file, **chosen, progress=bar.show)
    name = re.sub(r"(?<=://)[^/?#@]*@", "", file)  # a password is not repeated
    line = f"{printable(name)}: {quantity(rows, 'row')}"
    print_result({"file": name, "rows": rows}, line, as_json=options["as_json"])


@click.command("import", short_help="Add the entries of an exported file, or vectors.")
@shared.archive_argument
@click.argument("file", type=click.Path(dir_okay=False))
@shared.sync_option
@shared.json_option
def import_(archive: str, file: str, sync: bool, as_json: bool) -> int:
    """Add the entries of a file that 'homing export' wrote, or vectors made elsewhere.

    \b
    homing import archive rows.parquet
    homing import archive vectors.npy

    The archive must have the descriptor and the codebook of the exported one. Entries that it
    already has stay as they are. Damaged rows are refused and named.

    Vectors are a Parquet file with the columns "id" and "vector" (others are metadata), or an array
    (n, D) with its ids in vectors.npy.ids.json. They must be of the archive's descriptor.
    """
    opened = shared.open_archive(archive, sync=sync)
    with progress(None, "importing") as bar:
        done = opened.import_rows(file, progress=bar.show)
    for problem in done.problems:
        values = {"id": problem.id, "status": "failed", "reason": problem.message}
        line = f"{printable(problem.id or '-')}: {printable(problem.message)}"
        print_result(values, line, as_json=as_json, err=True)
    for note in done.notes:
        say(note)
    failed = len(done.problems)
    counts = {"imported": done.imported, "skipped": done.skipped, "failed": failed}
    imported = quantity(done.imported, "row")
    line = f"{imported} imported, {done.skipped:,} there already, {failed:,} refused"
    print_result({"file": file, **counts}, line, as_json=as_json)
    return 1 if failed else 0


@click.command(short_help="List the versions that can still be read.")
@shared.archive_argument
@shared.json_option
def versions(archive: str, as_json: bool) -> None:
    """List the earlier versions that can still be read. 'homing compact' removes them.

    \b
    homing versions archive
    homing list archive --version 12
    """
    for known in shared.open_archive(archive).versions():
        values = known | {"created_at": known["created_at"].isoformat(timespec="seconds")}
        line = f"{values['version']:8}  {values['created_at']}"
        print_result(values, line, as_json=as_json)
