"""``bench``: measure, on one's own pictures."""

import sys
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from homing.cli.console import (
    count,
    device_option,
    echo,
    emit,
    json_option,
    limit_options,
    limits_of,
    load_network,
    printable,
    progress,
    say,
)

if TYPE_CHECKING:
    from homing.bench.report import Report

__all__ = ["COMMANDS"]

_GAP = 2  # characters between the columns of a table


@click.group()
def bench() -> None:
    """Measure how well copies are found, on your own pictures.

    Needs the extra: pip install 'homing[bench]'
    """


@bench.command(short_help="How well descriptors tell copies, by exact search.")
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@click.option(
    "--background",
    multiple=True,
    required=True,
    type=click.Path(),
    help="Folder of other pictures, among which copies are searched for. May be repeated.",
)
@click.option(
    "--descriptor",
    "names",
    multiple=True,
    default=("homing-s",),
    show_default=True,
    help="Name, or path to your own. May be repeated: one column each.",
)
@click.option(
    "--hashes/--no-hashes",
    default=True,
    show_default=True,
    help="pHash, dHash and PDQ beside the descriptors.",
)
@click.option(
    "--base-size",
    type=count,
    default="100000",
    show_default=True,
    help="Distractors besides PHOTOS: background pictures, then random crops of them.",
)
@click.option(
    "--random-draws",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Copies of each picture under the random edit.",
)
@click.option(
    "--pictures", type=click.IntRange(min=1), help="Only so many of PHOTOS, drawn by the seed."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("homing-bench"),
    show_default=True,
    help="Folder for results.json, results.md, the observations, and the cache that a run "
    "which was interrupted goes on from.",
)
@limit_options
@device_option
@json_option
def descriptors(photos: tuple[str, ...], **options: Any) -> int:
    """Measure descriptors by exact search: copies found, copies told from others, false matches.

    \b
    homing bench descriptors photos/ --background others/
    homing bench descriptors photos/ --background others/ --descriptor sscd_disc_mixup

    PHOTOS suffer the fourteen edits of the paper (and the screenshot, which its mean leaves out);
    each copy is searched for among PHOTOS, the background and crops of the background. Intervals
    are 95 % by bootstrap over the pictures.
    """
    from homing.bench.extra import require_extra

    require_extra()
    from homing.bench.descriptors import Settings, run_descriptors
    from homing.bench.encoding import descriptor_encoder, hash_encoders
    from homing.images import find_pictures

    networks = [load_network(name, options["device"]) for name in options["names"]]
    names = [network.name for network in networks]
    encoders = [
        # Versions of one descriptor in several folders may all call themselves the same.
        descriptor_encoder(network, given if names.count(network.name) > 1 else network.name)
        for network, given in zip(networks, options["names"], strict=True)
    ]
    report = run_descriptors(
        list(find_pictures(photos)),
        list(find_pictures(options["background"])),
        [*encoders, *(hash_encoders() if options["hashes"] else ())],
        options["out"],
        progress,
        settings=Settings(
            base_size=options["base_size"],
            random_draws=options["random_draws"],
            pictures=options["pictures"],
            seed=options["seed"],
        ),
        limits=limits_of(options["max_pixels"], options["max_bytes"]),
    )
    for name, reason in report.failures.items():
        say(f"failed     {printable(name)}  ({printable(reason)})")
    if options["as_json"]:
        for line in report.lines():
            emit(line)
    else:
        _show(report)
    say(f"written: {options['out']}")
    return 1 if report.failures else 0


def _show(report: "Report") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    for note in report.notes:
        echo(note)
    console = Console(file=sys.stdout)
    rows = [row for section in report.sections for row in section.rows]
    narrow = sys.stdout.isatty() and _width([report.header, *rows]) > console.width
    if narrow:  # intervals go below their figures
        rows = [tuple(cell.replace(" [", "\n[") for cell in row) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for number, name in enumerate(report.header):
        justify: Literal["right", "left"] = "right" if number else "left"
        table.add_column(Text(printable(name)), justify=justify, no_wrap=True)
    left = iter(rows)
    for section in report.sections:
        table.add_row()
        table.add_row(Text(section.title, style="bold"))
        for row in islice(left, len(section.rows)):
            table.add_row(*map(Text, row))
    # Nothing is cut where the terminal is narrower still.
    width = _width([report.header, *[(s.title,) for s in report.sections], *rows])
    wide = Console(file=sys.stdout, width=max(width, console.width), height=console.height)
    wide.print(table, highlight=False)


def _width(rows: "list[tuple[str, ...]]") -> int:
    """Characters of a table of these rows."""
    columns = zip_longest(*rows, fillvalue="")
    longest = (max(len(line) for cell in column for line in cell.split("\n")) for column in columns)
    return sum(width + _GAP for width in longest)


COMMANDS = {"bench": bench}
