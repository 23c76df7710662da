"""What the commands share: options, progress, and the two ways of printing."""

import functools
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from homing.errors import UsageError

if TYPE_CHECKING:
    from homing.archive import Outcome, Report
    from homing.bench.statistics.tables import Table
    from homing.descriptors import Descriptor
    from homing.options import Limits

Command = TypeVar("Command", bound=Callable[..., Any])

_MOST_WORKERS = 256

archive_argument = click.argument("archive", type=click.Path(path_type=str))

json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, with stable keys."
)

device_option = click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="Where the descriptor runs: cpu, cuda, mps, or auto.",
)

engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "memory", "lance"]),
    default="auto",
    show_default=True,
    help="What searches: codes held in memory, or the archive's index where it lies ('homing "
    "index'). The answers are the same; auto holds up to half a gigabyte.",
)

version_option = click.option(
    "--version",
    type=click.IntRange(min=1),
    help="Read a version that is past, from 'homing versions'.",
)


def _workers(text: str) -> int | str:
    """Type of an option: how many processes, or the name of a Ray cluster."""
    from homing.workers.choose import parse_workers

    try:
        workers = parse_workers(text)
    except UsageError as error:
        raise click.BadParameter(str(error)) from error
    if isinstance(workers, int) and not 1 <= workers <= _MOST_WORKERS:
        raise click.BadParameter(f"{workers} is not in the range 1<=x<={_MOST_WORKERS}.")
    return workers


workers_option = click.option(
    "--workers",
    type=_workers,
    default="1",
    show_default=True,
    metavar="N|ray://HOST:PORT",
    help="Processes of this machine that do parts of it at the same time; or the workers of a Ray "
    "cluster: ray://HOST:PORT, or ray for the one that RAY_ADDRESS names (none: ray:N on this "
    "machine).",
)

rate_option = click.option(
    "--rate",
    type=click.FloatRange(min=0, max=1, min_open=True, max_open=True),
    default=1e-4,
    show_default=True,
    help="False alarms a query, at most, for a hit to be called a copy.",
)


def limit_options(command: Command) -> Command:
    """Add the options that bound decoding."""
    pixels = click.option(
        "--max-pixels",
        type=click.IntRange(min=1),
        help="Refuse pictures of more pixels.  [default: 150000000]",
    )
    size = click.option(
        "--max-bytes",
        type=click.IntRange(min=1),
        help="Refuse files of more bytes.  [default: 536870912]",
    )
    return pixels(size(command))


def limits_of(max_pixels: int | None, max_bytes: int | None) -> "Limits":
    """Bounds on decoding from the options."""
    from homing.options import DEFAULT_LIMITS, Limits

    return Limits(
        max_pixels=max_pixels or DEFAULT_LIMITS.max_pixels,
        max_bytes=max_bytes or DEFAULT_LIMITS.max_bytes,
    )


def load_network(name: str, device: str = "cpu") -> "Descriptor":
    """Load a descriptor, showing the download of its weights if there is one."""
    from homing.descriptors import load_descriptor

    with progress(None, f"fetching {name}") as bar:
        return load_descriptor(name, device=device, progress=bar.to)


def count(text: str) -> int:
    """Type of an option: a whole number of at least one, also written as 1e6."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 1):
        raise click.BadParameter(f"{text!r} is not a number of at least 1")
    return int(number)


def echo(text: str, *, err: bool = False) -> None:
    """Print a line; while progress is shown on the same terminal, above it.

    Click finds the standard streams behind rich's redirection, unless it is given them.
    """
    click.echo(text, file=sys.stderr if err else sys.stdout)


def silence_broken() -> None:
    """Let what is printed from now on go nowhere, on streams that nobody reads any more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def emit(values: Mapping[str, Any]) -> None:
    """Print one JSON object on one line.

    Where the encoding is not UTF-8, in ASCII: escaped by the stream it would be JSON no more.
    """
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    echo(json.dumps(values, ensure_ascii=encoding != "utf8", default=str))


def say(text: str) -> None:
    """Print something that is not a result, to standard error."""
    echo(text, err=True)


def printable(text: str) -> str:
    """Text on one line, with characters that would disturb a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def outcome_line(outcome: "Outcome") -> str:
    """One outcome as plain text."""
    parts = [f"{outcome.status:9}", printable(outcome.source)]
    if outcome.file is not None:
        parts.append(f"-> {printable(outcome.file)}")
    if outcome.psnr is not None:
        parts.append(f"{outcome.psnr:.2f} dB")
    if outcome.cell_kept is False:
        parts.append("(missed its cell)")
    for number, kept in enumerate(outcome.also_kept, 1):
        if not kept:
            parts.append(f"(missed its cell of --also, number {number})")
    reasons = [outcome.reason, *outcome.notes]
    told = "; ".join(printable(reason) for reason in reasons if reason)
    return "  ".join(parts) + (f"  ({told})" if told else "")


@contextmanager
def show_outcomes(
    total: int, description: str, *, as_json: bool
) -> "Iterator[Callable[[Outcome], None]]":
    """Print outcomes as they come, with progress on a terminal.

    The work goes on to its end also where nobody reads them any more.
    """
    with progress(total, description) as bar:

        def show(outcome: "Outcome") -> None:
            try:
                if as_json:
                    emit(outcome.as_dict())
                else:
                    echo(outcome_line(outcome), err=outcome.status == "failed")
            except BrokenPipeError:
                silence_broken()
            bar.by(1)

        yield show


def finished(report: "Report") -> int:
    """Say how it went in one line; return the exit status."""
    say(str(report))
    return 1 if report.failures else 0


class Bar:
    """A bar that may be moved on or set; one that shows nothing if there is no terminal."""

    def __init__(self, update: Callable[..., None] | None = None) -> None:
        self._update = update

    def by(self, count: int) -> None:
        """Move on."""
        if self._update is not None:
            self._update(advance=count)

    def to(self, done: int, total: int | None = None) -> None:
        """Set, and the total too if it is known only now."""
        if self._update is not None:
            self._update(completed=done, **({} if total is None else {"total": total}))


@contextmanager
def progress(total: int | None, description: str) -> Iterator[Bar]:
    """Show progress with the time left, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    # Lines printed meanwhile appear above the bar, if they go to the terminal: rich redirects them.
    shown = Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
    )
    with shown as bar:
        task = bar.add_task(description, total=total)
        yield Bar(functools.partial(bar.update, task))


_GAP = 2  # characters between the columns of a table


def show_tables(notes: Iterable[str], tables: "Iterable[Table]") -> None:
    """Print notes, and the tables that they belong to."""
    for note in notes:
        echo(note)
    for table in tables:
        if table.title:
            echo("")
            echo(table.title)
        _show(table)


def _show(table: "Table") -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(file=sys.stdout)
    rows = [row for section in table.sections for row in section.rows]
    narrow = sys.stdout.isatty() and _width([table.header, *rows]) > console.width
    if narrow:  # intervals go below their figures
        rows = [tuple(cell.replace(" [", "\n[") for cell in row) for row in rows]
    shown = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for number, name in enumerate(table.header):
        justify: Literal["right", "left"] = "right" if number else "left"
        shown.add_column(Text(printable(name)), justify=justify, no_wrap=True)
    left = iter(rows)
    for section in table.sections:
        shown.add_row()
        shown.add_row(Text(section.title, style="bold"))
        for row in islice(left, len(section.rows)):
            shown.add_row(*map(Text, row))
    # Nothing is cut where the terminal is narrower still.
    width = _width([table.header, *[(s.title,) for s in table.sections], *rows])
    wide = Console(file=sys.stdout, width=max(width, console.width), height=console.height)
    wide.print(shown, highlight=False)


def _width(rows: Sequence[tuple[str, ...]]) -> int:
    """Characters of a table of these rows."""
    columns = zip_longest(*rows, fillvalue="")
    longest = (max(len(line) for cell in column for line in cell.split("\n")) for column in columns)
    return sum(width + _GAP for width in longest)
