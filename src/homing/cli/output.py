"""Output of the commands: plain text or JSON lines, tables, and progress."""

import json
import logging
import os
import select
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, Literal, TextIO

import click

from homing.cli.process import ask_to_stop

if TYPE_CHECKING:
    from homing.archive import Outcome, Report
    from homing.archive.ingest.run import Observer
    from homing.bench.statistics.tables import Table
    from homing.progress import Progress


def echo(text: str, *, err: bool = False) -> None:
    """Print a line, above the progress bar if one is on the same terminal.

    The stream is passed on, because click would look behind rich's redirection for it.
    """
    click.echo(text, file=sys.stderr if err else sys.stdout)


def silence_broken() -> None:
    """Redirect output streams whose reader has gone to nowhere."""
    for stream in (sys.stdout, sys.stderr):
        if _is_broken(stream):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _is_broken(stream: TextIO) -> bool:
    try:
        stream.flush()
    except BrokenPipeError:
        return True
    if not hasattr(select, "poll"):  # Windows
        return False
    # A stream that keeps nothing back has nothing to flush.
    poll = select.poll()
    try:
        poll.register(stream, 0)
    except (OSError, ValueError):  # it is no file
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


def emit(values: Mapping[str, Any]) -> None:
    """Print one JSON object on one line.

    It is ASCII unless the stream is UTF-8: the escapes of another stream are not JSON.
    """
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    echo(json.dumps(values, ensure_ascii=encoding != "utf8", default=str))


def say(text: str) -> None:
    """Print a line that is not a result, to standard error."""
    echo(text, err=True)


def try_to_say(text: str) -> None:
    """Print such a line if that is possible: of a signal, which must not disturb the work.

    Ctrl-C also ends the reader of a pipe, and it may come while another line is being printed.
    """
    try:
        say(text)
    except BrokenPipeError:
        silence_broken()
    except (OSError, RuntimeError):
        pass


class _Lines(logging.Handler):
    """Prints log records as lines on standard error, above a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            say(self.format(record))
        except BrokenPipeError:
            silence_broken()


def show_log(verbose: int) -> None:
    """Show the log of the package: warnings; also what is done; and, from 2 on, in detail."""
    logger = logging.getLogger("homing")
    for each in [each for each in logger.handlers if isinstance(each, _Lines)]:
        logger.removeHandler(each)  # of an earlier call in this process
    lines = _Lines()
    detail = "%(asctime)s %(name)s: " if verbose else "homing: "
    lines.setFormatter(_OneLine(f"{detail}%(message)s"))
    logger.addHandler(lines)
    logger.setLevel({0: logging.WARNING, 1: logging.INFO}.get(verbose, logging.DEBUG))


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print the warnings of what is done inside as lines on standard error."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        yield
    for each in found:
        say(f"warning: {printable(str(each.message))}")


def print_result(values: Mapping[str, Any], line: str, *, as_json: bool, err: bool = False) -> None:
    """Print a result: its values as JSON, or a line, which goes to standard error if `err`."""
    emit(values) if as_json else echo(line, err=err)


def print_values(values: Mapping[str, Any], *, as_json: bool) -> None:
    """Print named values: as one JSON object, or a line each."""
    if as_json:
        emit(values)
        return
    for key, value in values.items():
        echo(f"{key.replace('_', ' '):22}  {'-' if value is None else value}")


def quantity(count: int, noun: str) -> str:
    """Return a count with its noun in the singular or plural: "1 entry", "1,024 entries"."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def printable(text: str) -> str:
    """Return text on one line, with characters that would disturb a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def outcome_line(outcome: "Outcome") -> str:
    """Return an outcome as plain text."""
    parts = [f"{outcome.status:9}", printable(outcome.source)]
    if outcome.file is not None:
        parts.append(f"-> {printable(outcome.file)}")
    if outcome.psnr is not None:
        parts.append(f"{outcome.psnr:.2f} dB")
    if outcome.psnr is not None and outcome.ssimulacra2 is not None:
        parts.append(f"SSIMULACRA2 {outcome.ssimulacra2:.1f}")
    if outcome.cell_kept is False:
        parts.append("(missed its cell)")
    for number, kept in enumerate(outcome.also_kept, 1):
        if not kept:
            parts.append(f"(missed its cell of --also, number {number})")
    reasons = [outcome.reason, *outcome.notes]
    if outcome.unrecorded:
        reasons.append(f"not recorded: {', '.join(outcome.unrecorded)}")
    notes = "; ".join(printable(reason) for reason in reasons if reason)
    return "  ".join(parts) + (f"  ({notes})" if notes else "")


@contextmanager
def show_outcomes(
    description: str, *, as_json: bool, ends_alone: bool = True
) -> "Iterator[Observer]":
    """Print outcomes as they come, with progress on a terminal.

    The work is completed even if the reader of the output has gone. If it `ends_alone`, Ctrl-C
    finishes the pictures in hand, and only a second one drops them.
    """
    from homing.archive.ingest.run import Observer

    counts = Counter[str]()
    counting = threading.Lock()  # pictures are worked on by several threads

    def begun() -> None:
        counts["begun"] += 1

    def worked() -> None:
        with counting:
            counts["worked"] += 1
        bar.by(1)

    def say_what_is_left() -> None:
        left = counts["begun"] - counts["worked"]
        try_to_say(f"finishing {left} picture{'s' * (left != 1)} in hand; Ctrl-C again drops them")

    def print_outcome(step: "Progress") -> None:
        outcome: Outcome = step.result
        try:
            if as_json:
                emit(outcome.as_dict())
            else:
                echo(outcome_line(outcome), err=outcome.status == "failed")
        except BrokenPipeError:
            silence_broken()
        counts[outcome.status] += 1

    asking = ask_to_stop(say_what_is_left) if ends_alone else nullcontext(lambda: False)
    with progress(0, description) as bar, asking as stopped:
        yield Observer(
            planned=bar.plan,
            progress=print_outcome,
            begun=begun,
            worked=worked,
            skipped=lambda: bar.skip(1),
            stopped=stopped,
        )
    if stopped():
        done = ", ".join(f"{counts[each]} {each}" for each in _STATUSES if counts[each])
        try_to_say(done or "nothing was done")
        raise KeyboardInterrupt


_STATUSES = ("released", "added", "annotated", "activated", "skipped", "failed")


def finish(report: "Report") -> int:
    """Summarize a run in one line; return the exit status."""
    say(str(report))
    return 1 if report.failures else 0


class Bar:
    """Progress bar; it shows nothing if there is no terminal."""

    def __init__(self, update: Callable[..., None] | None = None) -> None:
        self._update = update

    def plan(self, total: int) -> None:
        """Set the total, which was not known at the start."""
        if self._update is not None:
            self._update(total=total)

    def by(self, count: int) -> None:
        """Advance the bar."""
        if self._update is not None:
            self._update(advance=count)

    def skip(self, count: int) -> None:
        """Advance the bar by what took no work, and says nothing on the time left."""
        if self._update is not None:
            self._update(advance=count, skipped=count)

    def show(self, step: "Progress") -> None:
        """Set the bar, and its total if that is known."""
        if self._update is not None:
            self._update(
                completed=step.done, **({} if step.total is None else {"total": step.total})
            )


@contextmanager
def progress(total: int | None, description: str) -> Iterator[Bar]:
    """Show progress, and the time left once it is known, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if total is not None else TextColumn(""),
        TextColumn("{task.fields[left]}"),
    )
    # Rich redirects lines that go to the same terminal, so that they appear above the bar.
    shown = RichProgress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    )
    with shown as bar:
        task = bar.add_task(description, total=total, left="")
        clock = _Clock()

        def update(skipped: int = 0, **values: Any) -> None:
            bar.update(task, **values)
            there = bar.tasks[0]
            clock.skipped += skipped
            left = "" if there.total is None else clock.left(there.completed, there.total)
            bar.update(task, left=left)

        yield Bar(update)


class _Clock:
    """Estimate of the time left, from all that was done since the work began."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self.skipped = 0  # of what is done, what took no work

    def left(self, done: float, total: float) -> str:
        """Return the time left in words; nothing as long as too little is done to tell."""
        worked, seconds = done - self.skipped, time.monotonic() - self._start
        if worked < _ENOUGH_DONE or seconds < _ENOUGH_SECONDS or done >= total:
            return ""
        return f"{_duration(seconds / worked * (total - done))} left"


_ENOUGH_DONE, _ENOUGH_SECONDS = 10, 5.0  # before which no time left is shown


def _duration(seconds: float) -> str:
    """Return a duration as roughly as it can be foretold: "20 s", "3 min", "2 h 10 min"."""
    if seconds < 60:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


_GAP = 2  # characters between the columns of a table


def show_tables(notes: Iterable[str], tables: "Iterable[Table]") -> None:
    """Print notes and tables."""
    for note in notes:
        echo(note)
    for table in tables:
        if table.title:
            echo("")
            echo(table.title)
        _show_table(table)


def _show_table(table: "Table") -> None:
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
    # On a terminal that is narrower still, lines wrap: nothing is cut.
    width = _width([table.header, *[(s.title,) for s in table.sections], *rows])
    wide = Console(file=sys.stdout, width=max(width, console.width), height=console.height)
    wide.print(shown, highlight=False)


def _width(rows: Sequence[tuple[str, ...]]) -> int:
    """Return the width of a table of these rows, in characters."""
    columns = zip_longest(*rows, fillvalue="")
    longest = (max(len(line) for cell in column for line in cell.split("\n")) for column in columns)
    return sum(width + _GAP for width in longest)
