"""What is known of entries, hits and the service, in words for people."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from homing.archive.query.verdict import copy_in_words
from homing.html import Figure
from homing.serve.http.names import file_address
from homing.serve.pages.rendering import thumbnail_address
from homing.serve.pages.views import Card, EntryView, FoundView, Pairs

_SHOWN_BY_BROWSERS = {".jpg", ".jpeg", ".png", ".webp", ".gif"}
_ARCHIVE = (
    ("entries", "entries"),
    ("released", "released"),
    ("added", "added"),
    ("psnr_mean", "PSNR of releases, mean"),
    ("psnr_least", "PSNR of releases, least"),
    ("bytes_on_disk", "on disk"),
    ("descriptor", "descriptor"),
    ("codebook", "codebook"),
    ("cells", "cells"),
    ("cells_used", "cells used"),
    ("fullest_cell", "entries in the fullest cell"),
    ("version", "version of the record"),
    ("created_at", "made"),
)

_CAPTIONS = {
    "query": "the picture asked about",
    "entry": "the record",
    "overlap": "the picture asked about, laid over the record",
}
_FRAMED = {
    "query": "the picture asked about; framed: what the record shows too",
    "entry": "the record; framed: what is left of it in the picture asked about",
}


def bytes_told(count: float) -> str:
    """Bytes in a unit in which they are a number of up to four digits."""
    if count < 1024:
        return f"{count:.0f} bytes"
    unit = min(int(math.log(count, 1024)), 4)
    value = count / 1024**unit
    return f"{value:.{0 if value >= 9.95 else 1}f} {'_kMGT'[unit]}B"


def card_of(entry: Mapping[str, Any]) -> Card:
    """An entry, as ``homing show --json`` prints it, among others."""
    psnr = entry["psnr"]
    return Card(entry["id"], entry["state"] + ("" if psnr is None else f" · {psnr:.1f} dB"))


def hit_card(hit: Mapping[str, Any]) -> Card:
    """A hit, as ``homing search --json`` prints it, among others."""
    copy = hit.get("is_copy")
    view = hit["view"] if copy and hit["view"] != "upright" else ""
    told = (f"{hit['similarity']:.3f}", copy_in_words(copy), view)
    return Card(hit["id"], " · ".join(filter(None, told)))


def entry_view(entry: Mapping[str, Any], place: Path | str) -> EntryView:
    """An entry by itself; `place` is its file, or why there is none at hand."""
    psnr = entry["psnr"]
    facts = [
        ("state", entry["state"]),
        ("size", f"{entry['width']:,} \N{MULTIPLICATION SIGN} {entry['height']:,} pixels"),
        ("PSNR", "\N{EN DASH}" if psnr is None else f"{psnr:.2f} dB"),
        ("recorded", moment_told(entry["created_at"])),
        ("cell", f"{entry['cell']:,}"),
        ("SHA-256 of the file", entry["file_sha256"]),
    ]
    picture = reason = None
    if isinstance(place, str):
        reason = place
    elif place.suffix.lower() in _SHOWN_BY_BROWSERS:
        picture = file_address(entry["id"])
    else:
        picture = thumbnail_address(entry["id"])
    metadata = tuple((name, str(value)) for name, value in entry["metadata"].items())
    size = entry["width"], entry["height"]
    return EntryView(entry["id"], picture, reason, *size, tuple(facts), metadata)


def moment_told(moment: str) -> str:
    """A moment in ISO 8601, UTC, as people write it."""
    return moment[:16].replace("T", " ") + " UTC"


def found_view(
    explained: Mapping[str, Any], hits: Sequence[Mapping[str, Any]], address: str, kept: str | None
) -> FoundView:
    """The answer to a search: what ``POST /explain`` answers, and the hits."""
    best = explained["hit"]
    drawn = explained["figures"]
    captions = _CAPTIONS | (_FRAMED if "overlap" in drawn else {})
    return FoundView(
        name=explained["query"],
        verdict=explained["verdict"],
        positive=explained["positive"],
        figures=tuple(Figure(captions[name], drawn[name], 0, 0) for name in drawn),
        entry=None if best is None else best["id"],
        edits=tuple(explained["edits"]),
        facts=tuple(explained["facts"].items()),
        notes=(explained["reason"],) if explained["reason"] else (),
        others=tuple(hit_card(hit) for hit in hits if best is None or hit["id"] != best["id"]),
        address=address,
        kept=kept,
    )


def archive_pairs(figures: Mapping[str, Any]) -> Pairs:
    """Figures of an archive, as ``homing stats --json`` prints them."""
    known = {name: told for name, told in _ARCHIVE if figures.get(name) is not None}
    values = dict(figures) | {"bytes_on_disk": bytes_told(figures["bytes_on_disk"])}
    values |= {"created_at": moment_told(figures["created_at"])}
    values |= {
        name: f"{figures[name]:.2f} dB" for name in ("psnr_mean", "psnr_least") if name in known
    }
    return tuple((told, _number(values[name])) for name, told in known.items())


def service_pairs(figures: Mapping[str, Any]) -> Pairs:
    """Figures of a service, as ``GET /statistics`` answers them under "server"."""
    waiting = figures["waiting"]
    return (
        ("up for", duration_told(figures["seconds_up"])),
        ("requests", _number(figures["requests"])),
        ("failures of its own", _number(figures["failures"])),
        ("queries waiting", _number(waiting["queries"])),
        ("releases waiting", _number(waiting["releases"])),
    )


def latency_rows(figures: Mapping[str, Any]) -> tuple[tuple[str, str, str, str], ...]:
    """For each route its requests, and the time that half of them and 95 % took at most."""
    return tuple(
        (route, _number(told["count"]), brief_told(told["p50"]), brief_told(told["p95"]))
        for route, told in figures["latency"].items()
    )


def brief_told(seconds: float) -> str:
    """A time that somebody waits for an answer."""
    if seconds < 0.0995:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:,.0f} s"


def duration_told(seconds: float) -> str:
    """A time in its two largest units."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days:,} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds % 60)} s" if minutes else f"{seconds:.0f} s"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
