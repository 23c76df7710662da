"""``search``: is this one of ours?"""

from typing import TYPE_CHECKING, Any

import click

from homing.cli.console import (
    archive_argument,
    device_option,
    echo,
    emit,
    json_option,
    limit_options,
    limits_of,
    printable,
    progress,
    rate_option,
)
from homing.errors import UsageError

if TYPE_CHECKING:
    from homing.archive import Hit, SearchResult

__all__ = ["COMMANDS"]


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
@click.option(
    "--views",
    type=click.Choice(["upright", "turned", "all"]),
    default="upright",
    show_default=True,
    help="Also look for the picture turned and mirrored; all: cut out of its frame, and in part.",
)
@rate_option
@limit_options
@device_option
@json_option
def search(archive: str, photos: tuple[str, ...], **options: Any) -> int:
    """Find the entries most similar to a picture, or to every picture of a folder.

    \b
    homing search archive suspect.jpg
    homing search archive suspects/ --k 1 --json
    homing search archive meme.png --views all

    Similarity is the cosine of the descriptors: 1 is the same picture. What it means is told in
    words once the archive is calibrated, which it is by itself from 200 entries on.
    """
    from homing.archive import find_files, open_archive

    probes = _probes(options["probes"])
    opened = open_archive(archive, device=options["device"])
    failed = 0
    total = len(find_files(photos))
    with progress(total, "searching") as bar:
        results = opened.search_each(
            photos,
            k=options["k"],
            probes=probes,
            rerank=options["rerank"],
            views=options["views"],
            rate=options["rate"],
            limits=limits_of(options["max_pixels"], options["max_bytes"]),
        )
        for result in results:
            failed += result.reason is not None
            emit(result.as_dict()) if options["as_json"] else _show(result)
            bar.by(1)
    return 1 if failed else 0


def _probes(text: str) -> int | None:
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--probes takes a number of at least 1, or auto, not {text!r}")
    return int(text)


def _show(result: "SearchResult") -> None:
    name = printable(result.query)
    if result.reason is not None:
        echo(f"{name}: failed: {printable(result.reason)}", err=True)
        return
    echo(f"{name}:" if result.hits else f"{name}: nothing in the cells visited")
    for hit in result.hits:
        told = "".join(f"  {key}={value}" for key, value in (hit.metadata or {}).items())
        view = "" if hit.view == "upright" else f"  ({hit.view})"
        line = f"  {hit.similarity:6.3f}  {hit.state:8}  {printable(hit.id + told)}{view}"
        echo(line + _verdict(hit))


def _verdict(hit: "Hit") -> str:
    """What a hit's false-alarm rate says, in words."""
    from homing.archive import in_words

    if hit.false_alarm_rate is None:
        return ""
    verdict = "a copy" if hit.is_copy else "no sure copy"
    return f"  {verdict} (by chance: {in_words(hit.false_alarm_rate)})"


COMMANDS = {"search": search}
