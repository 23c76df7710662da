"""Style of the plots: legible at a page's width, in colours that the colour-blind distinguish.

Figures need neither a display nor pyplot's global state.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from homing.bench.statistics.bootstrap import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's, without yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_WIDTH = 8.0  # inches
STYLE = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "homing",
}


def new_figure(
    height: float, columns: int = 1, rows: int = 1, **options: Any
) -> tuple["Figure", Any]:
    """Make a figure of the page's width and a height in inches, and its axes, (rows, columns)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def colour_of(number: int) -> str:
    """Grey for passive, colours for the others."""
    return GREY if number == 0 else COLOURS[(number - 1) % len(COLOURS)]


def errors_of(values: Sequence[Interval]) -> list[list[float]]:
    """Distances from means to the lower and to the upper ends of their intervals."""
    return [
        [max(0.0, v.mean - v.low) for v in values],
        [max(0.0, v.high - v.mean) for v in values],
    ]


def plain_ticks(axis: "Axes", *, base: int = 10) -> None:
    """Show numbers instead of powers on a logarithmic axis: of ten also their doubles and fives."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    tick: Any = (FuncFormatter, LogLocator)
    axis.set_xscale("log", base=base)
    axis.xaxis.set_major_locator(tick[1](base, (1, 2, 5) if base == 10 else (1,), numticks=9))
    axis.xaxis.set_major_formatter(tick[0](lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
