"""``stats``, ``verify``, ``compact``, ``calibrate``, ``duplicates``: the archive as a whole."""

import datetime
from typing import Any

import click

from homing.cli.output import (
    archive_argument,
    device_option,
    echo,
    emit,
    engine_option,
    json_option,
    limit_options,
    limits_of,
    printable,
    progress,
    rate_option,
    say,
)


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
    generations = values.pop("generations", [])
    for key, value in values.items():
        click.echo(f"{key.replace('_', ' '):22}  {'-' if value is None else value}")
    for each in generations:
        click.echo(
            f"generation {each['generation']:<12} {each['codebook']}: {each['entries']} entries in "
            f"{each['cells_used']} of {each['cells']} cells, {each['indexed']} indexed"
        )


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
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0, max=36_500),
    default=0,
    show_default=True,
    help="Keep versions of so many days readable.",
)
@json_option
def compact(archive: str, keep_days: float, as_json: bool) -> None:
    """Merge the record's small files and free what old versions take.

    The codebook and the codes stay as they are.

    \b
    homing compact archive
    homing compact archive --keep-days 30
    """
    from homing.archive import open_archive

    values = open_archive(archive).compact(keep=datetime.timedelta(days=keep_days))
    if as_json:
        emit(values)
    else:
        click.echo(", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in values.items()))


@click.command(short_help="Observe how alike pictures are that match nothing.")
@archive_argument
@click.argument("photos", nargs=-1, type=click.Path())
@engine_option
@limit_options
@device_option
@json_option
def calibrate(archive: str, photos: tuple[str, ...], **options: Any) -> None:
    """Observe how alike pictures are that match nothing: what verdicts rest on.

    \b
    homing calibrate archive
    homing calibrate archive strangers/

    Without pictures, entries are compared with each other, near-duplicates left aside; this is
    also done whenever an archive has grown by half. Better are at least 200 pictures that the
    archive holds no copy of, like those to be searched for: all views are observed with them.
    """
    from homing.archive import find_files, open_archive, rate_in_words

    opened = open_archive(archive, device=options["device"], engine=options["engine"])
    with progress(len(find_files(photos)) if photos else None, "looking") as bar:
        made = opened.calibrate(
            photos,
            limits=limits_of(options["max_pixels"], options["max_bytes"]),
            progress=bar.by,
        )
    for views, tail in made.tails.items():
        places = {str(rate): tail.similarity(rate) for rate in (1e-2, 1e-3, 1e-4)}
        if options["as_json"]:
            told = {"background": made.background, "entries": tail.entries}
            emit(told | {"queries": tail.queries, "views": views, "similarity_at": places})
            continue
        echo(f"{views}: of {tail.queries:,} {made.background} that match nothing,")
        for rate, place in places.items():
            echo(f"  {rate_in_words(float(rate)):16}  is as similar to some entry as {place:.3f}")


@click.command(short_help="Find entries that are copies of each other.")
@archive_argument
@rate_option
@click.option(
    "--similarity",
    type=click.FloatRange(min=-1, max=1),
    help="Entries at least so alike count as copies, whatever the rate.",
)
@engine_option
@json_option
def duplicates(
    archive: str, rate: float, similarity: float | None, engine: str, as_json: bool
) -> None:
    """Find entries that are copies of each other, and print them group by group.

    \b
    homing duplicates archive
    homing duplicates archive --similarity 0.98 --json

    The number is the similarity to that entry of the group which is most alike.
    """
    from homing.archive import open_archive

    opened = open_archive(archive, engine=engine)
    with progress(len(opened), "comparing") as bar:
        groups = opened.duplicates(rate=rate, similarity=similarity, progress=bar.by)
    for number, group in enumerate(groups):
        if as_json:
            emit(group.as_dict())
            continue
        if number:
            echo("")
        for entry in group.entries:
            echo(f"{entry.similarity:6.3f}  {entry.state:8}  {printable(entry.id)}")
    doubles = sum(len(group.entries) for group in groups)
    say(f"{doubles} of {len(opened)} entries in {len(groups)} groups")


COMMANDS = {
    "stats": stats,
    "verify": verify,
    "compact": compact,
    "calibrate": calibrate,
    "duplicates": duplicates,
}
