"""``list``, ``show``, ``remove``: single entries."""

import click

from homing.cli.output import (
    archive_argument,
    emit,
    json_option,
    printable,
    say,
    version_option,
)
from homing.errors import EntryNotFoundError


@click.command("list")
@archive_argument
@version_option
@json_option
def list_entries(archive: str, version: int | None, as_json: bool) -> None:
    """List the entries in the order recorded.

    \b
    homing list archive
    homing list archive --json | jq .id
    """
    from homing.archive import open_archive

    for row in open_archive(archive, version=version).entries():
        if as_json:
            emit(row.as_dict())
        else:
            decibels = "" if row.psnr is None else f"{row.psnr:5.2f} dB"
            size = f"{row.width}x{row.height}"
            click.echo(f"{row.state:8}  {size:>11}  {decibels:8}  {printable(row.id)}")


@click.command()
@archive_argument
@click.argument("ids", nargs=-1, required=True)
@version_option
@json_option
def show(archive: str, ids: tuple[str, ...], version: int | None, as_json: bool) -> int:
    """Show all that is recorded of an entry.

    \b
    homing show archive holidays/beach.jpg
    """
    from homing.archive import open_archive

    opened = open_archive(archive, version=version)
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
            click.echo(f"{key:14}  {printable(str(value))}")
    return status


@click.command(short_help="Remove entries; released files stay.")
@archive_argument
@click.argument("ids", nargs=-1, required=True)
@json_option
def remove(archive: str, ids: tuple[str, ...], as_json: bool) -> int:
    """Remove entries from the record; released files stay where they are.

    \b
    homing remove archive holidays/beach.jpg
    """
    from homing.archive import open_archive

    removed = set(open_archive(archive).remove(ids))
    for entry in ids:
        status = "removed" if entry in removed else "not there"
        if as_json:
            emit({"id": entry, "status": status})
        else:
            click.echo(f"{status:9}  {printable(entry)}", err=entry not in removed)
    return 0 if removed >= set(ids) else 1


COMMANDS = {"list": list_entries, "show": show, "remove": remove}
