"""The report: one self-contained HTML file."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from homing.bench.measure.index_results import IndexResult
from homing.bench.report.gallery import Example
from homing.bench.report.outcome import Outcome
from homing.bench.report.outcome_tables import notes_of, tables_of
from homing.bench.report.plots import Plot
from homing.bench.statistics.bootstrap import Interval
from homing.bench.statistics.measures import Spread
from homing.bench.statistics.tables import NOTHING, show_number
from homing.html import Figure, data_url, jpeg_data_url, load_template

_SHOWN = 260  # pixels: the longest edge of a picture on the page
_QUALITY = 82
_KINDS = {
    "won": "Found only when activated",
    "missed": "Missed even so",
    "worst": "Changed most visibly (least SSIMULACRA2)",
}


@dataclass(frozen=True)
class _Row:
    """One index and method, for the first table."""

    index: str
    method: str
    figures: tuple[tuple[str, str], ...]  # each with the text below it


def write_page(outcome: Outcome, plots: Sequence[Plot], path: Path, seconds: float) -> None:
    """Write the report: style, plots and pictures inline, no script, no external address.

    All text is escaped.
    """
    text = load_template("homing.bench.report", "page.html.j2").render(
        outcome=outcome,
        headline=headline(outcome),
        summary=list(_summary(outcome)),
        notes=notes_of(outcome),
        tables=tables_of(outcome),
        plots=[(plot, data_url(plot.svg.read_bytes(), "svg+xml")) for plot in plots],
        gallery=list(_gallery(outcome.examples)),
        duration=f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds",
    )
    path.write_text(text, encoding="utf-8")


def headline(outcome: Outcome) -> str:
    """Summarise the results of the first index and the leading method in a sentence."""
    result = outcome.indexes[0]
    passive, active = result.states[0], result.states[1]
    before, after = (m.mean(m.one_probe) for m in (passive, active))
    name = active.settings[active.one_probe].name
    gain = result.gain(1)
    if gain.low > 0:
        verdict = "Activation helps here."
    elif gain.high < 0:
        verdict = "Activation does harm here."
    else:
        verdict = "The difference is too small, or the pictures are too few, to tell."
    return (
        f"At {name}, {_percent(before)} of the edited copies of untouched pictures are found, and "
        f"{_percent(after)} of those of activated ones; an exact search finds "
        f"{_percent(result.exact[0].mean(0))} and {_percent(result.exact[1].mean(0))}. {verdict}"
    )


def _percent(value: Interval) -> str:
    return f"{100 * value.mean:.1f} %"


def _summary(outcome: Outcome) -> Iterator[_Row]:
    for result in outcome.indexes:
        yield from (_row(result, number) for number in range(1, len(result.states)))


def _row(result: IndexResult, number: int) -> _Row:
    passive, active = result.states[0], result.states[number]
    won_back = result.won_back(number)
    quality = result.quality(active.method)
    shares = (
        passive.mean(passive.one_probe),
        active.mean(active.one_probe),
        result.gain(number),
        result.exact[0].mean(0),
        won_back,
    )
    files = (_with_least(quality["psnr"], 2, " dB"), _with_least(quality["ssimulacra2"], 1))
    return _Row(result.quantizer.name, active.method, (*map(_share, shares), *files))


def _with_least(found: Spread, digits: int, unit: str = "") -> tuple[str, str]:
    mean, least = (show_number(each, digits) for each in (found.mean, found.least))
    return mean + unit, f"least {least}"


def _share(value: Interval) -> tuple[str, str]:
    if math.isnan(value.mean):
        return NOTHING, ""
    return f"{value.mean:.3f}", f"[{value.low:.3f}, {value.high:.3f}]"


def _gallery(
    examples: Sequence[Example],
) -> Iterator[tuple[str, list[tuple[Example, list[Figure]]]]]:
    for kind, title in _KINDS.items():
        some = [example for example in examples if example.kind == kind]
        if some:
            yield title, [(each, [_figure(s.caption, s.image) for s in each.pictures])
                          for each in some]  # fmt: skip


def _figure(caption: str, image: Image.Image) -> Figure:
    shown = image.convert("RGB")
    shown.thumbnail((_SHOWN, _SHOWN), Image.Resampling.LANCZOS)
    return Figure(caption, jpeg_data_url(shown, _QUALITY), shown.width, shown.height)
