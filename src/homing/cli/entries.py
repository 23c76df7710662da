"""``list``, ``show``, ``remove``: single entries."""

from typing import TYPE_CHECKING, Any

import click

from homing.cli.console import (
    archive_argument,
    emit,
    json_option,
    printable,
    say,
    version_option,
)
from homing.errors import EntryNotFoundError

if TYPE_CHECKING:
    from homing.archive import Row

__all__ = ["COMMANDS"]


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
            emit(_as_dict(row))
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
            values = _as_dict(opened.entry(entry))
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


def _as_dict(row: "Row") -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": row.id,
        "state": row.state,
        "file": row.file,
        "width": row.width,
        "height": row.height,
        "psnr": None if row.psnr is None else round(row.psnr, 3),
        "generation": row.generation,
        "cell": row.cell,
        "code": row.code.hex() if len(row.code) <= _LONGEST_CODE else f"{len(row.code)} bytes",
        "created_at": row.created_at.isoformat(timespec="seconds"),
        "source_sha256": row.source_sha256.hex(),
        "file_sha256": row.file_sha256.hex(),
        "metadata": dict(row.metadata or {}),
    }
    return values


_LONGEST_CODE = 64

COMMANDS = {"list": list_entries, "show": show, "remove": remove}
