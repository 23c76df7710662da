"""Views of entries, searches and the service: the plain values that templates show."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homing.archive.hits import Decision
from homing.archive.query.verdict import decision_in_words, verdict_in_words
from homing.evidence.page import CAPTIONS, FRAMED
from homing.html import Figure
from homing.serve.http.names import file_address, thumbnail_address

Facts = tuple[tuple[str, str], ...]  # names and values

_SHOWN_BY_BROWSERS = {".jpg", ".jpeg", ".png", ".webp", ".gif"}
_ARCHIVE = {
    "entries": "entries",
    "released": "released",
    "added": "added",
    "psnr_mean": "PSNR of releases, mean",
    "psnr_least": "PSNR of releases, least",
    "bytes_on_disk": "on disk",
    "descriptor": "descriptor",
    "codebook": "codebook",
    "cells": "cells",
    "cells_used": "cells used",
    "fullest_cell": "entries in the fullest cell",
    "version": "version of the record",
    "created_at": "made",
}


@dataclass(frozen=True)
class Card:
    """An entry among others."""

    id: str
    summary: str


def entry_card(entry: Mapping[str, Any]) -> Card:
    """Return the card of an entry as ``homing show --json`` prints it."""
    psnr = entry["psnr"]
    return Card(entry["id"], entry["state"] + ("" if psnr is None else f" · {psnr:.1f} dB"))


def hit_card(hit: Mapping[str, Any]) -> Card:
    """Return the card of a hit as ``homing search --json`` prints it."""
    parts = [f"{hit['similarity']:.3f}"]
    decided = hit.get("decision") is not None
    if verdict := verdict_in_words(hit.get("verdict"), hit.get("is_copy"), decided=decided):
        parts.append(verdict)
    if hit.get("is_copy") and hit["view"] != "upright":
        parts.append(hit["view"])
    return Card(hit["id"], " · ".join(parts))


def entry_facts(entry: Mapping[str, Any]) -> Facts:
    """Return the facts of an entry as ``homing show --json`` prints it."""
    psnr = entry["psnr"]
    return (
        ("state", entry["state"]),
        ("size", f"{entry['width']:,} \N{MULTIPLICATION SIGN} {entry['height']:,} pixels"),
        ("PSNR", "\N{EN DASH}" if psnr is None else f"{psnr:.2f} dB"),
        ("recorded", format_time(entry["created_at"])),
        ("cell", f"{entry['cell']:,}"),
        ("SHA-256 of the file", entry["file_sha256"]),
    )


def picture_address(id: str, file: Path) -> str:  # noqa: A002 - the column's name
    """Return the address of an entry's picture as browsers show it."""
    shown = file.suffix.lower() in _SHOWN_BY_BROWSERS
    return file_address(id) if shown else thumbnail_address(id)


def evidence_figures(evidence: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Return the pictures of ``POST /v1/explain``'s answer with captions, as far as they exist."""
    drawn = evidence["figures"]
    captions = CAPTIONS | (FRAMED if "overlap" in drawn else {})
    return tuple(Figure(captions[name], drawn[name], 0, 0) for name in drawn)


def other_cards(evidence: Mapping[str, Any], hits: Sequence[Mapping[str, Any]]) -> tuple[Card, ...]:
    """Return the cards of the hits other than the one that the evidence is for."""
    best = evidence["hit"]
    return tuple(hit_card(hit) for hit in hits if best is None or hit["id"] != best["id"])


def decision_line(hit: Mapping[str, Any]) -> str | None:
    """Return what was decided on a hit, by whom and when; None if nothing was."""
    decision = hit.get("decision")
    if decision is None:
        return None
    words = decision_in_words(Decision.from_dict(decision))
    return f"{words[0].upper()}{words[1:]}."


def archive_facts(figures: Mapping[str, Any]) -> Facts:
    """Return the facts of an archive's figures as ``homing stats --json`` prints them."""
    known = {name: label for name, label in _ARCHIVE.items() if figures.get(name) is not None}
    values = dict(figures) | {"bytes_on_disk": format_bytes(figures["bytes_on_disk"])}
    values |= {"created_at": format_time(figures["created_at"])}
    values |= {
        name: f"{figures[name]:.2f} dB" for name in ("psnr_mean", "psnr_least") if name in known
    }
    return tuple((label, _number(values[name])) for name, label in known.items())


def service_facts(figures: Mapping[str, Any]) -> Facts:
    """Return the facts of a service's figures as ``GET /v1/statistics`` has them under "server"."""
    waiting = figures["waiting"]
    return (
        ("up for", format_duration(figures["seconds_up"])),
        ("requests", _number(figures["requests"])),
        ("failures of its own", _number(figures["failures"])),
        ("queries waiting", _number(waiting["queries"])),
        ("releases waiting", _number(waiting["releases"])),
    )


def latency_rows(figures: Mapping[str, Any]) -> tuple[tuple[str, str, str, str], ...]:
    """Return each route with its requests, and the median and 95 % quantile of their times."""
    return tuple(
        (route, _number(row["count"]), format_latency(row["p50"]), format_latency(row["p95"]))
        for route, row in figures["latency"].items()
    )


def format_bytes(count: float) -> str:
    """Format bytes in a unit in which they are a number of up to four digits."""
    if count < 1024:
        return f"{count:.0f} bytes"
    unit = min(int(math.log(count, 1024)), 4)
    value = count / 1024**unit
    return f"{value:.{0 if value >= 9.95 else 1}f} {'_kMGT'[unit]}B"


def format_time(time: str) -> str:
    """Format a time in ISO 8601, UTC, as people write it."""
    return time[:16].replace("T", " ") + " UTC"


def format_latency(seconds: float) -> str:
    """Format the time of an answer."""
    if seconds < 0.0995:
        return f"{1000 * seconds:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:,.0f} s"


def format_duration(seconds: float) -> str:
    """Format a duration in its two largest units."""
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days:,} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds % 60)} s" if minutes else f"{seconds:.0f} s"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
