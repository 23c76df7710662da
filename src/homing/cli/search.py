"""``search``, ``explain``, ``duplicates``: finding copies."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from homing.cli import options as shared
from homing.cli.output import echo, emit, print_result, printable, progress, say
from homing.errors import PictureError, UsageError
from homing.options import Probes, SearchKeywords, SearchOptions

if TYPE_CHECKING:
    from homing.archive import SearchResult
    from homing.archive.query.duplicates import Duplicate, Duplicates
    from homing.archive.query.verdict import Tally


@click.command(short_help="Find what a picture is a copy of.")
@shared.archive_argument
@shared.photos_argument
@click.option(
    "--k",
    type=click.IntRange(min=1),
    default=SearchOptions.k,
    help="Entries to return for each picture.",
)
@click.option(
    "--probes",
    default="auto",
    help="Cells to search: a number; near: the few nearest; auto: these, and more until a likely "
    "copy is found.",
)
@click.option(
    "--rerank",
    type=click.IntRange(min=0),
    default=SearchOptions.rerank,
    help="Candidates to sort by their exact similarity; 0: none.",
)
@shared.views_option(
    SearchOptions.views,
    "upright: the picture as it is; turned: also turned and mirrored; all: also without its "
    "frame, and parts of it.",
)
@shared.rate_option
@click.option(
    "--confirm/--no-confirm",
    default=SearchOptions.confirm,
    help="Compare the pictures themselves, or go by similarity alone.",
)
@shared.files_option
@shared.engine_option
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Answer in time, without the parts of a large archive that are late; the exit status is "
    "then 1.",
)
@shared.version_option
@shared.limits_option()
@shared.device_option
@shared.json_option
def search(archive: str, photos: tuple[str, ...], **options: Any) -> int:
    """Find what a picture, or every picture of a folder, is a copy of.

    \b
    homing search archive suspect.jpg
    homing search archive suspects/ --k 1 --json
    homing search archive meme.png --views all
    homing search s3://bucket/archive suspects/ --deadline 2

    The picture is compared with the most similar entries. The answer: the very file, a copy (and
    what was done to it), perhaps a copy, a shared part, or not found. A similarity is at most 1.
    """
    from homing.archive import find_files
    from homing.archive.query.verdict import Tally
    from homing.archive.results import passed_over_in_words
    from homing.images.find import count_passed_over

    keywords = _keywords(options)
    opened = shared.open_archive(
        archive, device=options["device"], engine=options["engine"], version=options["version"]
    )
    failed = 0
    tally = Tally()
    files = find_files(photos)
    queries = len(files)
    with progress(queries, "searching") as bar:
        for result in opened.search_each(files, **keywords):
            failed += result.reason is not None or result.partial is not None
            if result.reason is None:
                tally.add(result)
            emit(result.as_dict()) if options["as_json"] else _show(result, alone=queries == 1)
            bar.by(1)
    if tally.kinds and not options["as_json"]:
        if queries > 1 or tally.cells:
            say(str(tally))
        for line in _advice(tally, archive, options["views"], empty=len(opened) == 0):
            say(line)
    if words := passed_over_in_words(count_passed_over(photos)):
        say(words)
    return 1 if failed else 0


def _advice(tally: "Tally", archive: str, views: str, *, empty: bool) -> Iterator[str]:
    """Yield what may be done about the answers, a line each."""
    if empty:
        yield (
            f"the archive is empty: record pictures with 'homing release {archive} PHOTOS --out "
            f"DIR', or with 'homing add {archive} PHOTOS'"
        )
        return
    if tally.kinds["undecided"] or tally.kinds["part"]:
        yield (
            f"to look at both pictures: 'homing explain {archive} PICTURE --html why.html'; to "
            f"decide: 'homing decide {archive} PICTURE ID copy', or 'not' for 'copy'"
        )
    if tally.kinds["none"] and views != "all":
        yield "not found? --views all also looks for turned and mirrored copies, and for parts"
    if tally.kinds["none"] and tally.cells:
        yield f"a part of the archive was searched: --probes {max(tally.cells)[1]} searches all"
    if tally.without_preview:
        yield (
            f"{tally.without_preview:,} hits could not be compared, for want of a preview: "
            f"'homing previews {archive}' makes missing ones"
        )


def _keywords(options: dict[str, Any]) -> SearchKeywords:
    derived = {"probes": _probes(options["probes"]), "limits": shared.limits_of(options)}
    every = options | derived
    return {key: every[key] for key in SearchKeywords.__annotations__}  # type: ignore[return-value]


def _probes(text: str) -> Probes:
    if text == "auto":
        return None
    if text == "near":
        return "near"
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--probes takes a number of at least 1, near, or auto, not {text!r}")
    return int(text)


def _show(result: "SearchResult", *, alone: bool) -> None:
    """Print an answer, the sentence first; a query that is `alone` is not named."""
    from homing.archive.query.verdict import answer_in_words, hit_in_words, left_aside_in_words

    name = printable(result.query)
    if result.reason is not None:
        echo(f"{name}: failed: {printable(result.reason)}", err=True)
        return
    if result.partial is not None:
        left, why = result.partial.entries_not_asked, printable(result.partial.reason)
        echo(f"{name}: a partial answer: {left} entries were not searched: {why}", err=True)
    if result.note and not result.hits:
        answer = result.note
    else:
        answer = answer_in_words(result.hits) + (f" ({result.note})" if result.note else "")
    answer = f"{answer[0].upper()}{answer[1:]}" if alone else f"{name}: {answer}"
    echo(printable(answer))
    for hit in result.hits:
        if hit.left_aside:
            continue
        metadata = "".join(f"  {key}={value}" for key, value in (hit.metadata or {}).items())
        view = "" if hit.view == "upright" else f"  ({hit.view})"
        line = f"  similarity {hit.similarity:.3f}  {hit.state:8}  {printable(hit.id + metadata)}"
        words, colon, why = hit_in_words(hit).partition(": ")
        said = answer.endswith(f": {why}")
        echo(f"{line}{view}  {printable(words if said else words + colon + why)}")
    if aside := left_aside_in_words(result.hits):
        echo(f"  {printable(aside)}")


@click.command(short_help="Show why a picture counts as a copy.")
@shared.archive_argument
@click.argument("picture", type=click.Path())
@click.option("--html", type=click.Path(dir_okay=False), help="Write a page with the pictures.")
@shared.views_option("all", "As for 'homing search'.")
@shared.rate_option
@shared.files_option
@shared.engine_option
@shared.limits_option()
@shared.device_option
@shared.json_option
def explain(archive: str, picture: str, **options: Any) -> None:
    """Show why a picture counts as a copy of an entry, or does not.

    \b
    homing explain archive suspect.jpg
    homing explain archive suspect.jpg --html why.html --files photos/

    The page shows both pictures and lays one over the other. Name the folders of added pictures
    with --files; released ones are found.
    """
    html = Path(options["html"]) if options["html"] else None
    if html is not None and not html.parent.is_dir():
        raise UsageError(f"--html: there is no folder {str(html.parent)!r}")
    opened = shared.open_archive(archive, device=options["device"], engine=options["engine"])
    found = opened.explain(
        picture,
        views=options["views"],
        rate=options["rate"],
        files=options["files"],
        limits=shared.limits_of(options),
    )
    if html is not None:
        _write(html, found.page())
    if options["as_json"]:
        emit(found.as_dict())
        return
    echo(printable(f"{found.query}: {found.verdict}"))
    for name, value in found.facts().items():
        echo(f"  {name:22}  {printable(value)}")
    if found.reason and found.hit is not None:
        echo(f"  not shown: {printable(found.reason)}")


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html: {str(path)!r} cannot be written: {error.strerror}") from error


@click.command(short_help="Find entries that are copies of each other.")
@shared.archive_argument
@shared.rate_option
@click.option(
    "--similarity",
    type=click.FloatRange(min=-1, max=1),
    help="Least similarity of entries to compare; without previews, of copies. Replaces the rate.",
)
@shared.engine_option
@shared.json_option
def duplicates(
    archive: str, rate: float, similarity: float | None, engine: str, as_json: bool
) -> None:
    """Find entries that are copies of each other, and print them group by group.

    \b
    homing duplicates archive
    homing duplicates archive --similarity 0.98 --json

    Similar entries are compared by their previews, or by similarity where there are none. The
    number beside an entry is its similarity to the one that it is a copy of.
    """
    opened = shared.open_archive(archive, engine=engine)
    with progress(len(opened), "comparing") as bar:
        groups = opened.duplicates(rate=rate, similarity=similarity, progress=bar.show)
    for number, group in enumerate(groups):
        if as_json:
            emit(group.as_dict())
            continue
        if number:
            echo("")
        for entry in group.entries:
            words = "" if entry.copy_of is None else f"  {_copy_of(entry)}"
            echo(f"{entry.similarity:6.3f}  {entry.state:8}  {printable(entry.id)}{words}")
    say(_counted(groups, len(opened)))


def _copy_of(entry: "Duplicate") -> str:
    from homing.archive.query.verdict import copy_in_words

    assert entry.copy_of is not None
    return printable(copy_in_words(entry.verdict, [entry.copy_of], entry.by_similarity))


def _counted(groups: "Duplicates", entries: int) -> str:
    """Return what was found, what it rests on, and what was not compared."""
    doubles = sum(len(group.entries) for group in groups)
    words = (
        f"{doubles:,} of {entries:,} entries in {len(groups):,} group{'s' * (len(groups) != 1)}; "
        f"{groups.compared:,} pairs compared"
    )
    if groups.undecided:
        words += f", {groups.undecided:,} of them undecided: too little detail"
    if groups.by_similarity:
        words += f"; {groups.by_similarity:,} without previews went by similarity"
    if groups.unknown:
        words += (
            f"; {groups.unknown:,} could not be compared: make previews with 'homing previews', "
            "or give --similarity"
        )
    return words


@click.command(short_help="Print the cells where copies of a picture would be.")
@shared.archive_argument
@shared.photos_argument
@click.option(
    "--probes", type=click.IntRange(min=1), default=1, help="Cells to return for each view."
)
@shared.views_option(SearchOptions.views, "As for 'homing search'.")
@click.option(
    "--generation", type=click.IntRange(min=1), help="Number of the codebook.  [default: newest]"
)
@shared.limits_option()
@shared.device_option
@shared.json_option
def cells(archive: str, photos: tuple[str, ...], **options: Any) -> int:
    """Print the numbers of the cells where copies of a picture would be, nearest first.

    \b
    homing cells archive suspect.jpg --probes 3
    homing cells archive suspects/ --json | jq .cells

    For a database of your own that keeps entries by the number of their cell ('homing list --json'
    prints it): copies are then found by looking up these numbers.
    """
    from homing.archive import find_files

    opened = shared.open_archive(archive, device=options["device"])
    chosen = {key: options[key] for key in ("probes", "views", "generation")}
    failed = 0
    for path in find_files(photos):
        try:
            found = opened.cells(path, limits=shared.limits_of(options), **chosen)
        except PictureError as error:
            failed += 1
            values = {"query": str(path), "status": "failed", "reason": str(error)}
            print_result(values, printable(str(error)), as_json=options["as_json"], err=True)
            continue
        line = f"{printable(str(path))}: {' '.join(map(str, found))}"
        print_result({"query": str(path), "cells": found}, line, as_json=options["as_json"])
    return 1 if failed else 0
