"""Tables in the terminal: aligned, and never cut where it is narrow."""

import sys
from collections.abc import Iterable, Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Literal

from homing.cli.console import echo, printable

if TYPE_CHECKING:
    from homing.bench.tables import Table

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
