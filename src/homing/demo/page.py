"""Page of the demonstration: one HTML file with style and pictures inline."""

import math
from dataclasses import dataclass

from PIL import Image

from homing.demo.report import DemoReport, EditRow, Example
from homing.html import inlined_jpeg, template_of

_SHOWN = 480  # pixels: the longest edge of a picture on the page
_FINE, _COARSE = 92, 85  # JPEG qualities: of pictures to compare closely, and of others


@dataclass(frozen=True)
class _Figure:
    caption: str
    alternative: str
    address: str
    width: int
    height: int


@dataclass(frozen=True)
class _Outcome:
    kind: str
    sign: str
    text: str


def render_page(report: DemoReport) -> str:
    """Return an HTML document without scripts or links to other places; all text is escaped."""
    template = template_of(
        "homing.demo",
        "page.html.j2",
        percent=_percent,
        decibel=_decibel,
        duration=_duration,
        width=_width,
        count="{:,}".format,
    )
    return template.render(
        report=report,
        mean=report.mean,
        headline=_headline(report.mean),
        examples=[(example, _figures(example), _outcomes(example)) for example in report.examples],
    )


def _headline(mean: EditRow) -> str:
    if math.isnan(mean.active) or math.isnan(mean.passive):
        return "What became of edited copies"
    gain = mean.active - mean.passive
    if gain >= 0.005:
        return "Activated pictures come home."
    return "Activation made no difference here." if gain > -0.005 else "Activation did harm here."


def _percent(share: float) -> str:
    """Return a share as whole percents; only all is 100 % and only none is 0 %."""
    if math.isnan(share):
        return "\N{EN DASH}"
    percents = round(100 * share)
    if percents == 100 and share < 1:
        return "99 %"
    if percents == 0 and share > 0:
        return "1 %"
    return f"{percents} %"


def _width(share: float) -> str:
    """Return a share as a CSS length, within the bar's bounds."""
    return f"{100 * min(1.0, max(0.0, share)):.1f}%" if not math.isnan(share) else "0%"


def _decibel(psnr: float) -> str:
    return f"{psnr:.1f} dB" if math.isfinite(psnr) else "unchanged"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def _figures(example: Example) -> tuple[_Figure, ...]:
    released = f"released, {_decibel(example.psnr)}"
    return (
        _figure(example.original, "original", f"{example.title}, original", _FINE),
        _figure(example.released, released, f"{example.title}, released", _FINE),
        _figure(
            example.difference,
            "difference \N{MULTIPLICATION SIGN} 20",
            f"{example.title}, difference between released and original, times twenty",
            _COARSE,
        ),
        _figure(
            example.edited,
            f"edited copy: {example.edit}",
            f"{example.title}, copy edited by {example.edit}",
            _COARSE,
        ),
    )


def _figure(image: Image.Image, caption: str, alternative: str, quality: int) -> _Figure:
    shown = image.convert("RGB")
    shown.thumbnail((_SHOWN, _SHOWN), Image.Resampling.LANCZOS)
    address = inlined_jpeg(shown, quality, subsampling="4:4:4")
    return _Figure(caption, alternative, address, shown.width, shown.height)


def _outcomes(example: Example) -> tuple[tuple[str, _Outcome], tuple[str, _Outcome]]:
    return (
        ("untouched", _outcome(example.title, example.passive_hit, None)),
        ("activated", _outcome(example.title, example.active_hit, example.active_similarity)),
    )


def _outcome(title: str, hit: str | None, similarity: float | None) -> _Outcome:
    if hit is None:
        return _Outcome("lost", "\N{EN DASH}", "nothing found")
    if hit != title:
        return _Outcome("lost", "\N{EN DASH}", f"not found; first came {hit}")
    if similarity is None:
        return _Outcome("found", "✓", "found first")
    return _Outcome("found", "✓", f"found first, similarity {similarity:.2f}")
