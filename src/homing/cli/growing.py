"""``index``: what an archive needs to grow large."""

import click

from homing.cli.console import archive_argument, echo, emit, json_option, progress

__all__ = ["COMMANDS"]


@click.command(short_help="Build or extend the index on disk, for large archives.")
@archive_argument
@json_option
def index(archive: str, as_json: bool) -> None:
    """Build or extend the index that the lance engine searches where it lies.

    \b
    homing index archive
    homing search archive suspect.jpg --engine lance

    The codebook stays as it is and nothing is encoded again. What is released or added later is
    searched all the same, entry by entry, until this is run again.
    """
    from homing.archive import open_archive

    opened = open_archive(archive)
    with progress(len(opened), "indexing") as bar:
        done = opened.index(progress=bar.by)
    if as_json:
        emit(done.as_dict())
    else:
        echo(
            f"{done.indexed} of {done.entries} entries indexed, {done.added} of them now, in "
            f"{done.segments} segments"
        )


COMMANDS = {"index": index}
