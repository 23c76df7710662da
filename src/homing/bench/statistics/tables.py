"""Tables for the terminal, Markdown and the page; and values that JSON can hold."""

import math
from dataclasses import dataclass
from typing import Any

from homing.bench.statistics.bootstrap import Interval

NOTHING = "\N{EN DASH}"
"""Stands where there is no figure."""


@dataclass(frozen=True)
class Section:
    """Rows of a table under a title; each row is a name and one cell per column."""

    title: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Table:
    """Sections that share their columns."""

    title: str  # empty where the sections' titles suffice
    header: tuple[str, ...]  # names of the columns; the first is that of the rows' names
    sections: tuple[Section, ...]

    def markdown(self) -> str:
        """Return Markdown, one table per section."""
        lines = [f"## {self.title}", ""] if self.title else []
        for section in self.sections:
            lines.append(f"| {section.title} | " + " | ".join(self.header[1:]) + " |")
            lines.append("|---" * len(self.header) + "|")
            lines += ["| " + " | ".join(row) + " |" for row in section.rows]
            lines.append("")
        return "\n".join(lines)


def show_interval(value: Interval) -> str:
    """Format a mean with its interval."""
    if math.isnan(value.mean):
        return NOTHING
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def show_number(value: float, digits: int = 3) -> str:
    """Format a number; a dash if it is not finite."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NOTHING


def plain(value: Any) -> Any:
    """Replace NaN and infinity, which JSON cannot hold, by None."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
