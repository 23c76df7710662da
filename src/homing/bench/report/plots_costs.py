"""Plots of recall against time and memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from homing.bench.costs import CostPoint
from homing.bench.report.plot_style import COLOURS, MARKERS, new_figure, plain_ticks
from homing.bench.states.state import PASSIVE, UNTOUCHED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_times(points: Sequence[CostPoint]) -> "Figure":
    """Draw recall over milliseconds: a line per index and state, a point per number of probes."""
    figure, axes = new_figure(4.6, columns=2, sharey=True)
    indexes = list(dict.fromkeys(point.index for point in points))
    for axis, ranked in zip(axes[0], (False, True), strict=True):
        for number, index in enumerate(indexes):
            for active in (False, True):
                some = [
                    p for p in points
                    if (p.index, p.ranked, p.method != PASSIVE) == (index, ranked, active)
                ]  # fmt: skip
                some.sort(key=lambda point: point.probes)
                axis.plot(
                    [p.milliseconds for p in some],
                    [p.recall.mean for p in some],
                    color=COLOURS[number % len(COLOURS)],
                    marker=MARKERS[number % len(MARKERS)],
                    markersize=5,
                    markerfacecolor=COLOURS[number % len(COLOURS)] if active else "white",
                    linestyle="-" if active else "--",
                    linewidth=1.4,
                )
        axis.set_xlabel("milliseconds a query")
        axis.set_title("64 re-ranked" if ranked else "codes only", fontsize=10, loc="left")
        plain_ticks(axis)
    axes[0][0].set_ylabel("mean R@1")
    _index_legend(figure, indexes)
    return figure


def _index_legend(figure: "Figure", indexes: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], color=COLOURS[n % len(COLOURS)], marker=MARKERS[n % len(MARKERS)],
            linestyle="none", label=index,
        )
        for n, index in enumerate(indexes)
    ]  # fmt: skip
    handles += [
        Line2D([], [], color="#444444", linestyle="-", marker="o", label="activated"),
        Line2D([], [], color="#444444", linestyle="--", marker="o", markerfacecolor="white",
               label=UNTOUCHED),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3)


def draw_bytes(points: Sequence[CostPoint]) -> "Figure":
    """Draw recall at one probe over bytes of code: for each index passive and activated."""
    figure, axes = new_figure(4.2, columns=2, sharey=True)
    indexes = list(dict.fromkeys(point.index for point in points))
    for axis, ranked in zip(axes[0], (False, True), strict=True):
        for number, index in enumerate(indexes):
            pair = [
                min(
                    (p for p in points
                     if (p.index, p.ranked, p.method != PASSIVE) == (index, ranked, active)),
                    key=lambda point: point.probes,
                )
                for active in (False, True)
            ]  # fmt: skip
            colour = COLOURS[number % len(COLOURS)]
            # Indexes of equal size stand side by side.
            at = pair[0].code_bytes * 1.06 ** (number - (len(indexes) - 1) / 2)
            axis.plot([at, at], [p.recall.mean for p in pair], color=colour, linewidth=1.2)
            for point, fill in zip(pair, ("white", colour), strict=True):
                axis.plot(
                    [at], [point.recall.mean], marker=MARKERS[number % len(MARKERS)],
                    color=colour, markerfacecolor=fill, markersize=7, linestyle="none",
                )  # fmt: skip
        axis.set_xlabel("bytes of code an entry")
        axis.set_title("64 re-ranked" if ranked else "codes only", fontsize=10, loc="left")
        plain_ticks(axis, base=2)
    axes[0][0].set_ylabel("mean R@1, 1 probe")
    _index_legend(figure, indexes)
    return figure
