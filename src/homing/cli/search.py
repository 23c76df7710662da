"""``search`` and ``explain``: is this one of ours, and why?"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    version_option,
)
from homing.errors import UsageError

if TYPE_CHECKING:
    from homing.archive import SearchResult

files_option = click.option(
    "--files",
    multiple=True,
    type=click.Path(file_okay=False, exists=True),
    help="Folder of the entries' pictures, their ids being paths in it; not needed for released "
    "ones. May be repeated.",
)


def _views_option(default: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--views",
        type=click.Choice(["upright", "turned", "all"]),
        default=default,
        show_default=True,
        help=text,
    )


@click.command(short_help="Find what a picture is a copy of.")
@archive_argument
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@click.option(
    "--k", type=click.IntRange(min=1), default=10, show_default=True, help="Hits a query."
)
@click.option(
    "--probes",
    default="auto",
    show_default=True,
    help="Cells to visit: a number, or auto: one, and more while no hit is a copy (in an archive "
    "without calibration one in 64, at least 4). One finds what was released.",
)
@click.option(
    "--rerank",
    type=click.IntRange(min=0),
    default=64,
    show_default=True,
    help="Nearest codes put in order by exact similarity; 0: codes only.",
)
@_views_option(
    "upright",
    "Also look for the picture turned and mirrored; all: cut out of its frame, and in part.",
)
@rate_option
@click.option(
    "--confirm",
    is_flag=True,
    help="Compare with the pictures of the best hits by local features; needs OpenCV.",
)
@files_option
@engine_option
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Seconds that the parts of a large archive have to answer; the rest is then left out, "
    "which the answer says. Exit status 1 where something was.",
)
@version_option
@limit_options
@device_option
@json_option
def search(archive: str, photos: tuple[str, ...], **options: Any) -> int:
    """Find the entries most similar to a picture, or to every picture of a folder.

    \b
    homing search archive suspect.jpg
    homing search archive suspects/ --k 1 --json
    homing search archive meme.png --views all
    homing search s3://bucket/archive suspects/ --deadline 2

    Similarity is the cosine of the descriptors: 1 is the same picture. What it means is told in
    words once the archive is calibrated, which it is by itself from 200 entries on.
    """
    from homing.archive import find_files, open_archive

    probes = _probes(options["probes"])
    opened = open_archive(
        archive,
        device=options["device"],
        engine=options["engine"],
        version=options["version"],
    )
    failed = found = compared = 0
    total = len(find_files(photos))
    with progress(total, "searching") as bar:
        results = opened.search_each(
            photos,
            k=options["k"],
            probes=probes,
            rerank=options["rerank"],
            views=options["views"],
            rate=options["rate"],
            confirm=options["confirm"],
            files=options["files"],
            limits=limits_of(options["max_pixels"], options["max_bytes"]),
            deadline=options["deadline"],
        )
        for result in results:
            failed += result.reason is not None or result.partial is not None
            found += len(result.hits)
            compared += sum(hit.confirmed is not None for hit in result.hits)
            emit(result.as_dict()) if options["as_json"] else _show(result)
            bar.by(1)
    if options["confirm"] and found and not compared:
        say(
            "no hit could be confirmed or not: pictures without texture, or none at hand; where "
            "those lie that were only added is told by --files"
        )
    return 1 if failed else 0


def _probes(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--probes takes a number of at least 1, or auto, not {text!r}")
    return int(text)


def _show(result: "SearchResult") -> None:
    from homing.archive.query.verdict import hit_in_words

    name = printable(result.query)
    if result.reason is not None:
        echo(f"{name}: failed: {printable(result.reason)}", err=True)
        return
    if result.partial is not None:
        left, why = result.partial.entries_not_asked, printable(result.partial.reason)
        echo(f"{name}: a partial answer: {left} entries were not asked: {why}", err=True)
    nothing = result.note or "nothing in the cells visited"
    echo(f"{name}:" if result.hits else f"{name}: {nothing}")
    for hit in result.hits:
        told = "".join(f"  {key}={value}" for key, value in (hit.metadata or {}).items())
        view = "" if hit.view == "upright" else f"  ({hit.view})"
        verdict = hit_in_words(hit)
        line = f"  {hit.similarity:6.3f}  {hit.state:8}  {printable(hit.id + told)}{view}"
        echo(line + (f"  {verdict}" if verdict else ""))


@click.command(short_help="Show why a picture is taken for a copy.")
@archive_argument
@click.argument("picture", type=click.Path())
@click.option("--html", type=click.Path(dir_okay=False), help="Write a page with the pictures.")
@_views_option("all", "As for search.")
@rate_option
@files_option
@engine_option
@limit_options
@device_option
@json_option
def explain(archive: str, picture: str, **options: Any) -> None:
    """Show why a picture is, or is not, taken for a copy of an entry.

    \b
    homing explain archive suspect.jpg
    homing explain archive suspect.jpg --html why.html --files photos/

    The record's picture is laid over it by local features, if OpenCV is installed and the
    record's file is at hand: released files are, where they were written; of others --files says
    where they lie.
    """
    from homing.archive import open_archive

    html = Path(options["html"]) if options["html"] else None
    if html is not None and not html.parent.is_dir():
        raise UsageError(f"--html: there is no folder {str(html.parent)!r}")
    found = open_archive(archive, device=options["device"], engine=options["engine"]).explain(
        picture,
        views=options["views"],
        rate=options["rate"],
        files=options["files"],
        limits=limits_of(options["max_pixels"], options["max_bytes"]),
    )
    if html is not None:
        _write(html, found.page())
    if options["as_json"]:
        emit(found.as_dict())
        return
    echo(printable(f"{found.query}: {found.verdict}"))
    for edit in found.edits:
        echo(f"  {edit}")
    for name, value in found.facts().items():
        echo(f"  {name:22}  {printable(value)}")
    if found.reason:
        echo(f"  not shown: {printable(found.reason)}")


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html: {str(path)!r} cannot be written: {error.strerror}") from error


COMMANDS = {"search": search, "explain": explain}
