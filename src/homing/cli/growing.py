"""``index``, ``export``, ``import``, ``versions``: archives that grow, move and change."""

import click

from homing.cli.output import (
    archive_argument,
    echo,
    emit,
    json_option,
    printable,
    progress,
    version_option,
    workers_option,
)


@click.command(short_help="Build or extend the index on disk, for large archives.")
@archive_argument
@workers_option
@json_option
def index(archive: str, workers: int | str, as_json: bool) -> None:
    """Build or extend the index that the lance engine searches where it lies.

    \b
    homing index archive
    homing index archive --workers 4
    homing index s3://bucket/archive --workers ray://head:10001
    homing search archive suspect.jpg --engine lance

    The codebook stays as it is and nothing is encoded again. What is released or added later is
    searched all the same, entry by entry, until this is run again.
    """
    from homing.archive import open_archive

    opened = open_archive(archive)
    with progress(opened.unindexed, "indexing") as bar:
        done = opened.index(workers=workers, progress=bar.by)
    if as_json:
        emit(done.as_dict())
    else:
        echo(
            f"{done.indexed} of {done.entries} entries indexed, {done.added} of them now, in "
            f"{done.segments} segments"
        )


@click.command(short_help="Write all rows to a Parquet file.")
@archive_argument
@click.argument("file", type=click.Path(dir_okay=False))
@version_option
@json_option
def export(archive: str, file: str, version: int | None, as_json: bool) -> None:
    """Write all rows, with their vectors, to a new Parquet file.

    \b
    homing export archive rows.parquet
    homing export archive before.parquet --version 12
    """
    from homing.archive import open_archive

    opened = open_archive(archive, version=version)
    with progress(len(opened), "exporting") as bar:
        rows = opened.export(file, progress=bar.by)
    if as_json:
        emit({"file": file, "rows": rows})
    else:
        echo(f"{printable(file)}: {rows} rows")


@click.command("import", short_help="Record the rows of an exported file.")
@archive_argument
@click.argument("file", type=click.Path(dir_okay=False))
@json_option
def import_(archive: str, file: str, as_json: bool) -> int:
    """Record the rows of a file that 'homing export' has written.

    \b
    homing import archive rows.parquet

    The archive must have the descriptor and the codebook of the one exported. Rows that are there
    already stay as they are; those that the codebook does not confirm are left out and named.
    """
    from homing.archive import open_archive

    opened = open_archive(archive)
    with progress(None, "importing") as bar:
        done = opened.import_rows(file, progress=bar.by)
    for problem in done.problems:
        if as_json:
            emit({"id": problem.id, "status": "failed", "reason": problem.message})
        else:
            echo(f"{printable(problem.id or '-')}: {printable(problem.message)}", err=True)
    if as_json:
        counts = {"imported": done.imported, "skipped": done.skipped}
        emit({"file": file, **counts, "failed": len(done.problems)})
    else:
        echo(
            f"{done.imported} rows imported, {done.skipped} there already, "
            f"{len(done.problems)} left out"
        )
    return 1 if done.problems else 0


@click.command(short_help="List the versions that can still be read.")
@archive_argument
@json_option
def versions(archive: str, as_json: bool) -> None:
    """List the versions that can still be read; every change makes one, compacting removes them.

    \b
    homing versions archive
    homing list archive --version 12
    """
    from homing.archive import open_archive

    for known in open_archive(archive).versions():
        if as_json:
            emit(known | {"created_at": known["created_at"].isoformat(timespec="seconds")})
        else:
            echo(f"{known['version']:8}  {known['created_at'].isoformat(timespec='seconds')}")


COMMANDS = {"index": index, "export": export, "import": import_, "versions": versions}
