"""``stats``, ``verify``, ``compact``: the archive as a whole."""

import click

from homing.cli.console import archive_argument, emit, json_option, printable, progress, say

__all__ = ["COMMANDS"]


@click.command()
@archive_argument
@json_option
def stats(archive: str, as_json: bool) -> None:
    """Count entries, cells and bytes.

    \b
    homing stats archive
    """
    from homing.archive import open_archive

    values = open_archive(archive).stats()
    if as_json:
        emit(values)
        return
    for key, value in values.items():
        click.echo(f"{key.replace('_', ' '):22}  {'-' if value is None else value}")


@click.command(short_help="Check record, codebook and released files.")
@archive_argument
@click.option(
    "--files/--no-files",
    default=True,
    show_default=True,
    help="Read every released file and compare its checksum.",
)
@json_option
def verify(archive: str, files: bool, as_json: bool) -> int:
    """Check that record, codebook, descriptor and released files agree.

    \b
    homing verify archive
    """
    from homing.archive import open_archive

    opened = open_archive(archive)
    with progress(len(opened), "verifying") as bar:
        found = opened.verify(files=files, progress=bar.by)
    for problem in found.problems:
        if as_json:
            emit(problem.as_dict())
        else:
            click.echo(f"{printable(problem.id or '-')}: {printable(problem.message)}")
    say(
        f"{found.entries} entries and {found.files} released files verified, "
        f"{len(found.problems)} problems"
    )
    return 0 if found.clean else 1


@click.command(short_help="Merge small files, free what is not needed.")
@archive_argument
@json_option
def compact(archive: str, as_json: bool) -> None:
    """Merge the record's small files and free what old versions take.

    The codebook and the codes stay as they are.

    \b
    homing compact archive
    """
    from homing.archive import open_archive

    values = open_archive(archive).compact()
    if as_json:
        emit(values)
    else:
        click.echo(", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in values.items()))


COMMANDS = {"stats": stats, "verify": verify, "compact": compact}
