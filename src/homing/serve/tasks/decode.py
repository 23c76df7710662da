"""Decoding of foreign bytes: tasks of processes with bounds.

A picture that claims too much, or that a decoder crashes over, costs its request and perhaps a
process, which is replaced; the service goes on.
"""

import io
import operator
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from homing.archive.query.answers import confirm
from homing.archive.query.explain import explain
from homing.archive.query.originals import Places
from homing.archive.query.queries import DescribedQuery
from homing.archive.results import Hit
from homing.images import read_picture, read_rgb, shown
from homing.options import Limits
from homing.serve.http.names import file_address
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
    """Bound this process's memory; importing this module has loaded what it needs idle."""
    bound_memory(memory, reserved=True)
    return operator.call


def confirm_hits(
    data: bytes, hits: tuple[Hit, ...], places: Places, limits: Limits
) -> tuple[Hit, ...]:
    """Compare a query with the pictures of its hits; return these in their new order."""
    return confirm(hits, read_rgb(data, limits=limits), places, limits)


def compare(
    name: str,
    data: bytes,
    query: DescribedQuery,
    hit: Hit | None,
    query_cell: int | None,
    place: Path | str | None,
    limits: Limits,
) -> dict[str, Any]:
    """Align a record's picture with a query, and draw both.

    Returns the object of ``homing explain --json``, ``facts``, ``positive`` and ``figures``, in
    which ``file`` is the address of the record's file rather than its path.
    """
    query = DescribedQuery(query.views, query.vectors, data)
    found = explain(name, query, hit, query_cell, place, limits)
    addresses = [figure.address for figure in found.figures()]
    reason = found.reason
    if reason is not None and isinstance(place, Path):  # it names no path of this machine
        reason = reason.replace(f" {shown(place)}", "")
    return {
        **found.as_dict(),
        "file": file_address(found.hit.id) if found.hit and found.file else None,
        "reason": reason,
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
