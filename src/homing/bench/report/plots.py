"""Plots of ``homing bench``, as PNG and SVG."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from homing.bench.costs import CostPoint
from homing.bench.measure.index_results import IndexResult
from homing.bench.questions import Answer
from homing.bench.report.outcome import Outcome
from homing.bench.report.plot_style import (
    COLOURS,
    GREY,
    MARKERS,
    STYLE,
    colour_of,
    errors_of,
    new_figure,
)
from homing.bench.report.plots_costs import draw_bytes, draw_times
from homing.bench.states.quality import Quality
from homing.bench.states.state import label_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = {"1 probe": COLOURS[0], "all codes": COLOURS[0], "automatic probes": COLOURS[1],
          "exact": GREY}  # fmt: skip

#: Name, title, text and drawing function of a plot.
_Drawing: TypeAlias = "tuple[str, str, str, Callable[[], Figure]]"


@dataclass(frozen=True)
class Plot:
    """A plot that was written."""

    name: str  # of its files, without a suffix
    title: str
    text: str  # explains the plot
    svg: Path


def write_plots(outcome: Outcome, folder: Path) -> tuple[Plot, ...]:
    """Draw all plots, in the order of the page."""
    import matplotlib as mpl

    style: Any = STYLE
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(style):
        return tuple(
            _write(folder, name, title, text, draw()) for name, title, text, draw in _all(outcome)
        )


def _all(outcome: Outcome) -> Iterator[_Drawing]:
    """Yield all plots, in the order of the page."""
    for number, result in enumerate(outcome.indexes, start=1):
        yield from _of_index(result, outcome, f"-{number}" if len(outcome.indexes) > 1 else "")
    if outcome.points:
        yield from _of_costs(outcome.points)
    for answer in outcome.answers:
        if answer.lines:
            yield answer.name, answer.title, answer.text, partial(_answer, answer)
    if any(result.releases for result in outcome.indexes):
        yield (
            "quality",
            "How far files are from their sources",
            "Measured on the files as written; SSIMULACRA2, FLIP and ΔE00 as shown at most 1,600 "
            "pixels wide or high.",
            partial(_quality, outcome),
        )


def _of_index(result: IndexResult, outcome: Outcome, end: str) -> Iterator[_Drawing]:
    name = result.quantizer.name
    if outcome.suite.name != "sweep":
        yield (
            f"edits{end}",
            f"Copies found, edit by edit: {name}",
            "Share of copies whose picture comes first at one probe, re-ranked; bars are 95 % "
            "intervals.",
            partial(_edits, result),
        )
    if outcome.suite.sweeps:
        yield (
            f"sweeps{end}",
            f"Copies found, strength by strength: {name}",
            "R@1 at one probe, re-ranked; bands are 95 % intervals.",
            partial(_sweeps, result, outcome),
        )
    if result.detections:
        yield (
            f"precision-recall{end}",
            f"Copies detected among others: {name}",
            "One random copy of each picture among copies of pictures that are not in the base; "
            "scores normalised.",
            partial(_curves, result),
        )


def _of_costs(points: Sequence[CostPoint]) -> Iterator[_Drawing]:
    yield (
        "pareto-time",
        "What recall costs in time",
        f"Mean R@1 against measured milliseconds a query (a batch of {points[0].batch:,} queries "
        "in one process), one point a number of probes: 1, 2, 4 … 64, as far as there are cells. "
        "Up and left is better.",
        partial(draw_times, points),
    )
    yield (
        "pareto-bytes",
        "What recall costs in memory",
        "Mean R@1 at one probe (an index without cells: at all its codes) against bytes of code "
        "an entry. Re-ranking reads the entry's vector besides.",
        partial(draw_bytes, points),
    )


def _write(folder: Path, name: str, title: str, text: str, figure: "Figure") -> Plot:
    svg = folder / f"{name}.svg"
    figure.savefig(svg, metadata={"Date": None})
    figure.savefig(folder / f"{name}.png", dpi=160)
    return Plot(name, title, text, svg)


def _edits(result: IndexResult) -> "Figure":
    states = result.states
    names = [edit.name for edit in states[0].edits if edit.in_mean]
    places = [n for n, edit in enumerate(states[0].edits) if edit.in_mean]
    extra = [n for n, edit in enumerate(states[0].edits) if not edit.in_mean][:4]
    labels = [*names, f"mean of {len(names)}", *(states[0].edits[n].name for n in extra)]
    figure, axes = new_figure(0.32 * len(labels) + 1.2)
    axis = axes[0][0]
    step = 0.5 / max(len(states), 1)
    for number, measured in enumerate(states):
        setting = measured.one_probe
        values = [
            *(measured.figure(setting, "recall_1", n) for n in places),
            measured.mean(setting),
            *(measured.figure(setting, "recall_1", n) for n in extra),
        ]
        shift = (number - (len(states) - 1) / 2) * step
        at = [n + shift for n in range(len(values))]
        axis.errorbar(
            [v.mean for v in values],
            at,
            xerr=errors_of(values),
            fmt=MARKERS[number % len(MARKERS)],
            color=colour_of(number),
            markersize=6,
            linewidth=1.4,
            label=label_of(measured.method),
        )
    axis.set_yticks(range(len(labels)), labels)
    axis.axhspan(len(names) - 0.5, len(names) + 0.5, color="#f2f2f2", zorder=0)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.set_xlim(-0.02, 1.03)
    axis.set_xlabel("R@1")
    axis.grid(visible=False, axis="y")
    figure.legend(loc="outside upper center", ncols=len(states))
    return figure


def _sweeps(result: IndexResult, outcome: Outcome) -> "Figure":
    kinds = outcome.suite.sweeps
    units = {
        "rotation": "degrees", "crop": "share of the area", "resize": "share of the area",
        "blur": "taps", "jpeg": "quality", "contrast": "factor", "brightness": "factor",
        "hue": "turns",
    }  # fmt: skip
    figure, axes = new_figure(1.9 * ((len(kinds) + 1) // 2), columns=2, rows=(len(kinds) + 1) // 2)
    names = [edit.name for edit in result.states[0].edits]
    for axis, (kind, strengths) in zip(axes.flat, kinds.items(), strict=False):
        for number, measured in enumerate(result.states):
            setting = measured.one_probe
            values = [measured.figure(setting, "recall_1", names.index(n)) for _, n in strengths]
            at = [strength for strength, _ in strengths]
            axis.plot(
                at, [v.mean for v in values], color=colour_of(number), linewidth=1.6,
                marker=MARKERS[number % len(MARKERS)], markersize=3.5,
                label=label_of(measured.method) if axis is axes.flat[0] else None,
            )  # fmt: skip
            axis.fill_between(
                at, [v.low for v in values], [v.high for v in values], color=colour_of(number),
                alpha=0.15, linewidth=0,
            )  # fmt: skip
        axis.set_ylim(-0.03, 1.03)
        axis.set_title(f"{kind}, {units.get(kind, 'strength')}", fontsize=10, loc="left")
    for axis in axes.flat[len(kinds) :]:
        axis.set_visible(False)
    for row in axes:
        row[0].set_ylabel("R@1")
    figure.legend(loc="outside upper center", ncols=len(result.states))
    return figure


def _curves(result: IndexResult) -> "Figure":
    figure, axes = new_figure(4.0)
    axis = axes[0][0]
    methods = [measured.method for measured in result.states]
    for found in result.detections:
        exact = found.setting == "exact"
        axis.step(
            found.curve.recall,
            found.curve.precision,
            where="post",
            color=colour_of(methods.index(found.method)),
            linestyle=":" if exact else "-",
            linewidth=1.8,
            label=f"{label_of(found.method)}, {found.setting}",
        )
    axis.set_xlim(-0.02, 1.02)
    axis.set_ylim(-0.02, 1.03)
    axis.set_xlabel("recall")
    axis.set_ylabel("precision")
    axis.legend(loc="best")
    return figure


def _quality(outcome: Outcome) -> "Figure":
    figure, axes = new_figure(5.4, columns=3, rows=2)
    several = len(outcome.indexes) > 1
    releases = [
        (f"{method} for {result.quantizer.name}" if several else method, release)
        for result in outcome.indexes
        for method, release in result.releases.items()
    ]
    columns: tuple[tuple[str, Callable[[Quality], float | None]], ...] = (
        ("PSNR, dB", lambda quality: quality.psnr),
        ("SSIM", lambda quality: quality.ssim),
        ("largest change, levels of 255", lambda quality: quality.largest),
        ("SSIMULACRA2", lambda quality: quality.ssimulacra2),
        ("FLIP", lambda quality: quality.flip),
        ("ΔE00", lambda quality: quality.delta_e),
    )
    for axis, (title, value) in zip(axes.flat, columns, strict=True):
        for number, (name, release) in enumerate(releases, start=1):
            values = [value(row.quality) for row in release.released]
            finite = sorted(v for v in values if v is not None and v != float("inf"))
            shares = [(n + 1) / len(finite) for n in range(len(finite))]
            axis.step(
                finite, shares, where="post", color=colour_of(number), linewidth=1.8,
                label=name if axis is axes[0][0] else None,
            )  # fmt: skip
        axis.set_xlabel(title)
        axis.set_ylim(0, 1.03)
        axis.ticklabel_format(useOffset=False)
        axis.locator_params(axis="x", nbins=4)
    for row in axes:
        row[0].set_ylabel("share of files up to here")
    if len(releases) > 1:
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def _answer(answer: Answer) -> "Figure":
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
