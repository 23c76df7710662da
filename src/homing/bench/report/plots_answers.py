"""Plots of what the paper left open: a row a thing that was tried."""

from typing import TYPE_CHECKING

from homing.bench.questions import Answer
from homing.bench.report.drawing import COLOURS, GREY, MARKERS, errors_of, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = {"1 probe": COLOURS[0], "all codes": COLOURS[0], "automatic probes": COLOURS[1],
          "exact": GREY}  # fmt: skip


def draw_answer(answer: Answer) -> "Figure":
    """Draw mean R@1 of every line, at one probe, at automatic probes and exactly."""
    figure, axes = new_figure(0.36 * len(answer.lines) + 1.1)
    axis = axes[0][0]
    names = [name for name in _SHOWN if any(name in line.figures for line in answer.lines)]
    for number, name in enumerate(names):
        rows = [
            (place, line.figures[name])
            for place, line in enumerate(answer.lines)
            if name in line.figures
        ]
        shift = (number - (len(names) - 1) / 2) * 0.22
        values = [value for _, value in rows]
        axis.errorbar(
            [value.mean for value in values],
            [place + shift for place, _ in rows],
            xerr=errors_of(values),
            fmt=MARKERS[number],
            color=_SHOWN[name],
            markersize=6,
            linewidth=1.4,
            label=name if name == "exact" else f"{name}, re-ranked",
        )
    axis.set_yticks(range(len(answer.lines)), [line.label for line in answer.lines])
    axis.set_ylim(len(answer.lines) - 0.4, -0.6)
    axis.set_xlim(right=1.02)
    axis.set_xlabel("mean R@1")
    axis.grid(visible=False, axis="y")
    figure.legend(loc="outside upper center", ncols=len(names))
    return figure
