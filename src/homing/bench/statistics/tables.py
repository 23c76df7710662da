"""Tables, as the terminal, Markdown and the page show them; and what JSON can hold."""

import math
from dataclasses import dataclass
from typing import Any

from homing.bench.statistics.bootstrap import Interval

NOTHING = "\N{EN DASH}"
"""Stands where there is no figure."""


@dataclass(frozen=True)
class Section:
    """Some rows of a table under a title; each row a name and a cell a column."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table of sections that share their columns.

    Attributes
    ----------
    title : str
        Empty where the sections' titles say enough.
    header : tuple of str
        Names of the columns, the first of which is that of the rows' names.
    sections : tuple of Section
    """

    title: str
    header: tuple[str, ...]
    sections: tuple[Section, ...]

    def markdown(self) -> str:
        """As Markdown, a table a section."""
        lines = [f"## {self.title}", ""] if self.title else []
        for section in self.sections:
            lines.append(f"| {section.title} | " + " | ".join(self.header[1:]) + " |")
            lines.append("|---" * len(self.header) + "|")
            lines += ["| " + " | ".join(row) + " |" for row in section.rows]
            lines.append("")
        return "\n".join(lines)


def show_interval(value: Interval) -> str:
    """A mean with its interval."""
    if math.isnan(value.mean):
        return NOTHING
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def show_number(value: float, digits: int = 3) -> str:
    """A number, or the sign for none."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NOTHING


def plain(value: Any) -> Any:
    """What JSON can hold: no NaN, no infinity."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
