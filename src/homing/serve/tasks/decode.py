"""Decoding of foreign bytes: tasks of processes with bounds.

A picture that claims too much, or that a decoder crashes over, costs its request and perhaps a
process, which is replaced; the service goes on.
"""

import io
import operator
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from homing.archive.decisions.relevant import RelevantDecisions
from homing.archive.hits import Hits
from homing.archive.query.confirm import HitPicture, QueryPicture, confirm
from homing.archive.query.confirmer import SeenQuery
from homing.archive.query.explain import explain
from homing.archive.query.queries import DescribedQuery
from homing.images import read_picture, read_rgb, shown
from homing.options import Limits
from homing.search.frames.panels import Box
from homing.search.views import View
from homing.serve.tasks.processes import BoundedWorkers, bound_memory, do_nothing


class Decoders(BoundedWorkers):
    """Processes that decode; each may take `memory` bytes beyond what it takes idle."""

    def __init__(self, count: int, memory: int, seconds: float) -> None:
        refusal = (
            f"reading the picture took more than {memory >> 20} MiB of memory or "
            f"{seconds:g} seconds, or crashed its decoder; save it anew, or smaller"
        )
        begin = partial(_begin, memory)
        super().__init__(begin, count, "decode pictures", seconds=seconds, refusal=refusal)
        self._at_start = count

    def __enter__(self) -> "Decoders":
        """Start the processes, without waiting for them."""
        super().__enter__()
        for _ in range(self._at_start):
            self.submit(do_nothing)
        return self


def _begin(memory: int) -> Callable[[Callable[[], Any]], Any]:
    """Bound this process's memory; importing this module has loaded what it needs idle.

    What decoders in C print of damaged files is no part of the log.
    """
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    os.close(silent)
    bound_memory(memory, reserved=True)
    return operator.call


@dataclass(frozen=True)
class Within:
    """Places within a query to search for, each with its view for the descriptor."""

    tried: tuple[Box, ...]
    boxes: list[Box]
    views: list[list[View]]

    @classmethod
    def of(cls, query: SeenQuery, size: int) -> "Within":
        """Find the places in a query; views are of `size` pixels a side."""
        panels = query.panels(size)
        boxes = [panel.box for panel, _ in panels]
        return cls(query.tried, boxes, [views for _, views in panels])


def confirm_query(
    data: bytes, hits: Hits, pictures: Mapping[str, HitPicture], size: int, limits: Limits
) -> tuple[Hits, Within]:
    """Compare a query with its hits; also return where further pictures may be within it."""
    picture = QueryPicture.read(data, limits)
    query = SeenQuery(confirm(hits, pictures, picture, limits), picture)
    return _without_places(query.hits, pictures), Within.of(query, size)


def confirm_within(
    data: bytes,
    hits: Hits,
    within: Within,
    answers: Sequence[Hits],
    pictures: Mapping[str, HitPicture],
    size: int,
    limits: Limits,
) -> tuple[Hits, Within]:
    """Compare the pictures within a query with their hits; also return where more may be."""
    query = SeenQuery(hits, QueryPicture.read(data, limits), within.tried)
    query = query.joined(within.boxes, answers, pictures, limits)
    return _without_places(query.hits, pictures), Within.of(query, size)


def _without_places(hits: Hits, pictures: Mapping[str, HitPicture]) -> Hits:
    """Return hits whose reasons name no path of this machine."""
    return hits.replaced(
        replace(hit, reason=_without_place(hit.reason, pictures.get(hit.id))) for hit in hits
    )


def _without_place(reason: str | None, picture: HitPicture | None) -> str | None:
    if reason is None or not isinstance(picture, Path):
        return reason
    return reason.replace(shown(picture), "its file")


def apply_decisions(data: bytes, hits: Hits, decisions: RelevantDecisions, limits: Limits) -> Hits:
    """Return the hits of a query with what people decided."""
    return decisions.apply(hits, QueryPicture.read(data, limits))


def compare(
    name: str,
    data: bytes,
    query: DescribedQuery,
    hits: Hits,
    picture: HitPicture,
    query_cell: int | None,
    limits: Limits,
) -> dict[str, Any]:
    """Lay a query over the picture of its best hit, and draw both.

    Returns the object of ``homing explain --json``, ``facts``, ``positive`` and ``figures``.
    """
    seen = QueryPicture.read(data, limits)
    found = explain(name, query, seen, hits, picture, query_cell, limits)
    addresses = [figure.address for figure in found.figures()]
    return {
        **found.as_dict(),
        "reason": _without_place(found.reason, picture),
        "facts": found.facts(),
        "positive": found.positive,
        "figures": dict(zip(("query", "entry", "overlap"), addresses, strict=False)),
    }


def check_picture(data: bytes, limits: Limits) -> str:
    """Return "JPEG", "PNG", "WEBP" or "TIFF" of a picture that can be released."""
    return read_picture(data, limits=limits).kind


def make_thumbnail(source: Path | bytes, side: int, limits: Limits) -> bytes:
    """Return a JPEG of a picture, its longest edge at most `side` pixels."""
    image = read_rgb(source, limits=limits, least=side)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def draw_change(before: bytes, after: bytes, side: int, gain: int, limits: Limits) -> list[bytes]:
    """Return three PNGs at 100 %: before, after, and `gain` times the difference around mid-grey.

    Of pictures larger than `side` pixels they show the middle.
    """
    old = _middle(read_rgb(before, limits=limits), side)
    new = _middle(read_rgb(after, limits=limits), side)
    enlarged = ImageChops.subtract(new, old, scale=1 / gain, offset=128)
    return [_as_png(image) for image in (old, new, enlarged)]


def _middle(image: Image.Image, side: int) -> Image.Image:
    width, height = min(side, image.width), min(side, image.height)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _as_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
