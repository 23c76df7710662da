"""``init``, ``stats``, ``verify``, ``compact``, ``previews``, …: an archive as a whole."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli import options as shared
from homing.cli.output import (
    echo,
    emit,
    print_result,
    print_values,
    printable,
    progress,
    quantity,
    say,
    warnings_as_lines,
)
from homing.errors import ArchiveError
from homing.options import PLACES, PREVIEW_SIDE, check_places, check_preview_side

if TYPE_CHECKING:
    from homing.archive import Problem


@click.command()
@shared.archive_argument
@shared.descriptor_option
@shared.codebook_option
@click.option("--expect", type=shared.count, help="Number of pictures it will hold (5000, 1e6).")
@click.option(
    "--previews",
    type=int,
    default=PREVIEW_SIDE,
    metavar="PIXELS",
    help="Longer side of the small picture kept of every entry, about 16 kB, for comparisons; 0: "
    "none.",
)
@click.option(
    "--places",
    type=int,
    default=PLACES,
    metavar="CELLS",
    help="Cells that list a released picture, 1 to 4: more find copies sooner, and take more "
    "memory.",
)
@shared.json_option
def init(archive: str, descriptor: str, codebook: str, **options: Any) -> None:
    """Make an empty archive, in which pictures are recorded.

    \b
    homing init archive
    homing init archive --expect 5000
    homing init s3://bucket/archive --expect 1e7
    homing init archive --descriptor sscd_disc_mixup --codebook mine.safetensors
    """
    from homing.archive import create

    shared.load_network(descriptor)  # downloads missing weights, with a progress bar
    check_preview_side(options["previews"])
    check_places(options["places"])
    chosen = {key: options[key] for key in ("expect", "previews", "places")}
    with warnings_as_lines():
        made = create(archive, descriptor=descriptor, codebook=codebook, **chosen).settings
    values = {
        "archive": archive,
        "descriptor": made.descriptor,
        "codebook": made.codebook,
        "codebook_choice": made.codebook_choice,
        "previews": made.previews,
        "places": made.places,
    }
    line = f"{archive}: set up {made.codebook_choice} ({made.descriptor}, {made.codebook})"
    print_result(values, line, as_json=options["as_json"])
    if codebook.lower() == "auto" and options["expect"] is None and not options["as_json"]:
        say("fewer? Make it with --expect 5000")


@click.command(short_help="Show how many pictures it holds, and its size.")
@shared.archive_argument
@shared.json_option
def stats(archive: str, as_json: bool) -> None:
    """Show how many pictures an archive holds, and how much space it takes.

    \b
    homing stats archive
    """
    values = shared.open_archive(archive).stats()
    if as_json:
        emit(values)
        return
    generations = values.pop("generations", [])
    print_values(values, as_json=False)
    for each in generations:
        echo(
            f"generation {each['generation']:<12} {each['codebook']}: "
            f"{quantity(each['entries'], 'entry')} in {each['cells_used']:,} of {each['cells']:,} "
            f"cells, {each['indexed']:,} indexed"
        )


@click.command(short_help="Check that nothing is damaged or missing.")
@shared.archive_argument
@click.option(
    "--files/--no-files",
    " /--quick",
    default=True,
    help="Compare every file with its checksum, the released ones too.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False),
    help="Folder of the archive's service, to be checked too.  [default: ARCHIVE-serve]",
)
@shared.json_option
def verify(archive: str, files: bool, folder: str | None, as_json: bool) -> int:
    """Check that nothing of an archive is damaged or missing.

    \b
    homing verify archive
    homing verify archive --quick

    All entries are read and compared with the files, and every file with the checksum that was
    recorded when it was written. --quick reads the entries alone.
    """
    from homing.archive import damaged_files

    try:
        opened = shared.open_archive(archive)
    except ArchiveError:
        _print_problems(damaged_files(archive), as_json=as_json)  # perhaps the reason
        raise
    with progress(len(opened), "verifying") as bar:
        found = opened.verify(files=files, progress=bar.show)
    problems = [*found.problems, *_service_problems(archive, folder)]
    _print_problems(problems, as_json=as_json)
    decisions = f", {quantity(found.decisions, 'decision')}" if found.decisions else ""
    say(
        f"{quantity(found.entries, 'entry')}{decisions}, {quantity(found.previews, 'preview')} and "
        f"{quantity(found.files, 'released file')} verified, {quantity(len(problems), 'problem')}"
    )
    if found.unrecorded:
        without = quantity(found.unrecorded, "file")
        say(f"{without} without a checksum yet: 'homing compact' records them")
    return 1 if problems else 0


def _service_problems(archive: str, folder: str | None) -> "list[Problem]":
    """Check the folder of the archive's service, if there is one."""
    from homing.archive import Problem
    from homing.serve.settings import folder_beside
    from homing.serve.verification import damaged_files

    if folder is None and "://" in archive:
        return []
    place = folder_beside(archive) if folder is None else Path(folder)
    return [Problem(None, each) for each in damaged_files(place)] if place.is_dir() else []


def _print_problems(problems: "Iterable[Problem]", *, as_json: bool) -> None:
    for problem in problems:
        line = f"{printable(problem.id or '-')}: {printable(problem.message)}"
        print_result(problem.as_dict(), line, as_json=as_json)


@click.command(short_help="Bring a damaged archive back.")
@shared.archive_argument
@click.option(
    "--export",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Change nothing; write what can still be read to a new file.",
)
@click.option(
    "--to",
    type=click.IntRange(min=1),
    metavar="VERSION",
    help="Go back to this version.",
)
@shared.json_option
def repair(archive: str, export: str | None, to: int | None, as_json: bool) -> int:
    """Bring a damaged archive back to what can be read of it.

    \b
    homing repair archive
    homing repair archive --export rows.parquet

    The archive goes back to its newest undamaged version, or keeps what can be read of the damaged
    one if that is more. Nothing is deleted: damaged files are moved to the folder set-aside. Lost
    entries are named: run the same 'homing release' or 'homing add' again. Doubtful ones, read from
    damaged files, are named too: remove and record them again.
    """
    from homing.archive.repair import export_readable
    from homing.archive.repair import repair as make_whole

    if export is not None:
        rows, loss = export_readable(archive, export)
        lines = _lines_of(loss.ids, loss.rows - len(loss.ids), loss.doubtful)
        lines.append(f"{printable(export)}: {rows} rows; {loss.rows} cannot be read")
        values = {"file": export, "rows": rows, "lost": loss.rows}
        values |= {"lost_ids": sorted(loss.ids), "doubtful": sorted(loss.doubtful)}
        print_result(values, "\n".join(lines), as_json=as_json)
        return 1 if loss.rows or loss.doubtful else 0
    done = make_whole(archive, to=to)
    lines = ["archive.json was put back from its copy"] if done.settings else []
    lines += [f"version {d.version} is set aside: {printable(d.reason)}" for d in done.damaged]
    lines += _lines_of(done.lost, done.unnamed, done.doubtful)
    when = done.created_at.isoformat(timespec="seconds")
    lines.append(f"version {done.version} of {when} is whole: {done.entries} entries")
    if done.damaged and done.doubtful:
        lines.append("remove what is doubtful, and run the same commands again")
    elif done.damaged:
        lines.append("what was done since is lost, removals too: run the same commands again")
    print_result(done.as_dict(), "\n".join(lines), as_json=as_json)
    return 0


def _lines_of(lost: "Iterable[str]", unnamed: int, doubtful: "Iterable[str]") -> list[str]:
    """Name entries that are lost, and those whose values may be wrong."""
    lines = [f"lost: {printable(name)}" for name in lost]
    if unnamed > 0:
        lines.append(f"lost: {unnamed} whose ids cannot be read")
    return lines + [f"doubtful, from a damaged file: {printable(name)}" for name in doubtful]


@click.command(short_help="Merge small files and free disk space.")
@shared.archive_argument
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0, max=36_500),
    default=0,
    help="Keep the versions of so many days.",
)
@shared.json_option
def compact(archive: str, keep_days: float, as_json: bool) -> None:
    """Merge the archive's small files, and free the space of old versions.

    Entries are unchanged. 'homing versions' can then no longer go back.

    \b
    homing compact archive
    homing compact archive --keep-days 30
    """
    values = shared.open_archive(archive).compact(keep=datetime.timedelta(days=keep_days))
    line = ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in values.items())
    print_result(values, line, as_json=as_json)


@click.command(short_help="Make the previews of entries that have none.")
@shared.archive_argument
@shared.files_option
@shared.limits_option()
@shared.json_option
def previews(archive: str, files: tuple[str, ...], **options: Any) -> int:
    """Make the small pictures of entries that have none, which searches compare with.

    \b
    homing previews archive
    homing previews archive --files others/

    They are made from the recorded files, if these are unchanged; entries whose file is not found
    are named. If the archive has an index on disk, run 'homing index' again afterwards.
    """
    opened = shared.open_archive(archive)
    as_json = options["as_json"]
    with progress(opened.missing_previews, "making previews") as bar:
        done = opened.previews(files, limits=shared.limits_of(options), progress=bar.show)
    for status, found in (("made", done.notes), ("failed", done.problems)):
        for each in found:
            line = f"{status:9} {printable(each.id or '-')}  ({printable(each.message)})"
            values = {"id": each.id, "status": status, "reason": each.message}
            print_result(values, line, as_json=as_json, err=status == "failed")
    counts = {"made": done.made, "present": done.present, "failed": len(done.problems)}
    made = quantity(done.made, "preview")
    line = f"{made} made, {done.present:,} there already, {len(done.problems):,} failed"
    print_result({"archive": archive, **counts}, line, as_json=as_json)
    return 1 if done.problems else 0


@click.command(short_help="Build or extend the index on disk, for large archives.")
@shared.archive_argument
@click.option(
    "--codes",
    type=click.Choice(["codebook", "rq", "sq"]),
    help="Codes it holds: the codebook's, or of the vectors RaBitQ (a bit a component) or scalar "
    "ones (a byte a component). [default: as it is; at first the codebook's]",
)
@shared.workers_option
@shared.json_option
def index(archive: str, codes: str | None, workers: int | str, as_json: bool) -> None:
    """Build or extend the index on disk, by which large archives are searched in little memory.

    \b
    homing index archive
    homing index archive --workers 4
    homing index archive --codes rq
    homing index s3://bucket/archive --workers ray://head:10001
    homing search archive suspect.jpg --engine lance

    No picture is read again. Entries recorded later are found too, but one by one until they are
    indexed.
    """
    opened = shared.open_archive(archive)
    with progress(opened.unindexed, "indexing") as bar:
        done = opened.index(codes=codes, workers=workers, progress=bar.show)
    line = (
        f"{done.indexed:,} of {quantity(done.entries, 'entry')} indexed, {done.added:,} of them "
        f"now, in {quantity(done.segments, 'segment')}"
    )
    print_result(done.as_dict(), line, as_json=as_json)


@click.command(short_help="Measure how similar unrelated pictures are.")
@shared.archive_argument
@shared.optional_photos_argument
@shared.engine_option
@shared.limits_option()
@shared.device_option
@shared.json_option
def calibrate(archive: str, photos: tuple[str, ...], **options: Any) -> None:
    """Measure how similar unrelated pictures are, for verdicts by similarity.

    \b
    homing calibrate archive
    homing calibrate archive strangers/

    Without pictures, entries are compared with each other; this happens by itself whenever an
    archive has grown by half. Better: give at least 200 pictures like those you will search for,
    none of them in the archive.
    """
    from homing.archive import find_files, rate_in_words

    opened = shared.open_archive(archive, device=options["device"], engine=options["engine"])
    with progress(len(find_files(photos)) if photos else None, "calibrating") as bar:
        made = opened.calibrate(photos, limits=shared.limits_of(options), progress=bar.show)
    for views, tail in made.tails.items():
        places = {str(rate): tail.similarity(rate) for rate in (1e-2, 1e-3, 1e-4)}
        if options["as_json"]:
            counts = {"background": made.background, "entries": tail.entries}
            emit(counts | {"queries": tail.queries, "views": views, "similarity_at": places})
            continue
        echo(f"{views}: of {tail.queries:,} {made.background} that match nothing,")
        for rate, place in places.items():
            echo(f"  {rate_in_words(float(rate)):16}  is as similar to some entry as {place:.3f}")
