"""What is done with foreign bytes: in processes of their own, with bounds on memory and time.

A picture that claims too much, or that a decoder crashes over, costs its request and perhaps a
process, which is replaced; the service goes on.
"""

import asyncio
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar

from PIL import Image, ImageChops

from homing.archive.query.answers import confirm
from homing.archive.query.explain import explain
from homing.archive.query.originals import Places
from homing.archive.query.queries import DescribedQuery
from homing.archive.results import Hit
from homing.errors import PictureError
from homing.images import read_picture, read_rgb, shown
from homing.options import Limits
from homing.search.views import View, query_views
from homing.serve.http.names import file_address
from homing.serve.tasks.limits import LOST, bound_memory
from homing.workers.processes import Workers

_Result_co = TypeVar("_Result_co", covariant=True)


class Task(Protocol[_Result_co]):
    """Something to be done in another process: it travels there, and its result back."""

    def do(self) -> _Result_co:
        """Do it; called in the other process."""


@dataclass(frozen=True)
class Look:
    """Read a query in its views.

    Attributes
    ----------
    data : bytes
        The file.
    size : int
        Side of the descriptor's square.
    views : str
        As for a search.
    limits : Limits
    """

    data: bytes
    size: int
    views: str
    limits: Limits

    def do(self) -> list[View]:
        """Return the views; none of a picture that shows nothing."""
        return query_views(self.data, self.size, self.views, limits=self.limits)


@dataclass(frozen=True)
class Confirm:
    """Compare a query with the pictures of its hits by local features."""

    data: bytes
    hits: tuple[Hit, ...]
    places: Places
    limits: Limits

    def do(self) -> tuple[Hit, ...]:
        """Return the hits in their new order."""
        suspect = read_rgb(self.data, limits=self.limits)
        return confirm(self.hits, suspect, self.places, self.limits)


@dataclass(frozen=True)
class Compare:
    """Lay the record's picture over a query, and draw it."""

    name: str
    data: bytes
    looked: DescribedQuery
    hit: Hit | None
    query_cell: int | None
    place: Path | str | None
    limits: Limits

    def do(self) -> dict[str, Any]:
        """Return what ``homing explain --json`` prints, ``facts``, ``positive`` and ``figures``.

        Where the record's file lies is left out: ``file`` is the address that it is to be had at.
        """
        looked = DescribedQuery(self.looked.views, self.looked.vectors, self.data)
        found = explain(self.name, looked, self.hit, self.query_cell, self.place, self.limits)
        drawn = [figure.address for figure in found.figures()]
        names = ("query", "entry", "overlap")
        return {
            **found.as_dict(),
            "file": file_address(found.hit.id) if found.hit and found.file else None,
            "reason": _without(found.reason, self.place),
            "facts": found.facts(),
            "positive": found.positive,
            "figures": dict(zip(names, drawn, strict=False)),
        }


def _without(reason: str | None, place: Path | str | None) -> str | None:
    """A reason that names no place of this machine."""
    if reason is None or not isinstance(place, Path):
        return reason
    return reason.replace(f" {shown(place)}", "")


@dataclass(frozen=True)
class Check:
    """See whether a picture can be released."""

    data: bytes
    limits: Limits

    def do(self) -> str:
        """Return its kind: "JPEG", "PNG", "WEBP" or "TIFF"."""
        return read_picture(self.data, limits=self.limits).kind


@dataclass(frozen=True)
class Shrink:
    """Make a small JPEG of a picture.

    Attributes
    ----------
    source : Path or bytes
    side : int
        Longest edge, pixels.
    limits : Limits
    """

    source: Path | bytes
    side: int
    limits: Limits

    def do(self) -> bytes:
        """Return the JPEG's bytes."""
        image = read_rgb(self.source, limits=self.limits, least=self.side)
        image.thumbnail((self.side, self.side))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()


@dataclass(frozen=True)
class Draw:
    """Draw what a release changes in a picture.

    Attributes
    ----------
    before, after : bytes
        The files.
    side : int
        Longest edge of what is shown, pixels: the middle of larger pictures.
    gain : int
        By which the difference is multiplied.
    limits : Limits
    """

    before: bytes
    after: bytes
    side: int
    gain: int
    limits: Limits

    def do(self) -> list[bytes]:
        """Return three PNGs at 100 %: before, after, the difference enlarged around mid-grey."""
        before = _middle(read_rgb(self.before, limits=self.limits), self.side)
        after = _middle(read_rgb(self.after, limits=self.limits), self.side)
        enlarged = ImageChops.subtract(after, before, scale=1 / self.gain, offset=128)
        return [_as_png(image) for image in (before, after, enlarged)]


def _middle(image: Image.Image, side: int) -> Image.Image:
    width, height = min(side, image.width), min(side, image.height)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def _as_png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@dataclass(frozen=True)
class _Nothing:
    def do(self) -> None:
        """Do nothing: the process is there."""


class Decoders(AbstractContextManager["Decoders"]):
    """The processes that do such tasks.

    Parameters
    ----------
    count : int
        Processes.
    memory : int
        Bytes that each may take beyond what it takes idle.
    seconds : float
        That each has for a task.
    """

    def __init__(self, count: int, memory: int, seconds: float) -> None:
        self._count, self._memory, self._seconds = count, memory, seconds
        self._workers: Workers[Task[Any], Any] = Workers(
            partial(_begin, memory), count, "decode pictures", tries=1, seconds=seconds
        )

    def __enter__(self) -> "Decoders":
        """Start the processes, without waiting for them."""
        self._workers.__enter__()
        for _ in range(self._count):
            self._workers.submit(_Nothing())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes."""
        self._workers.__exit__(kind, error, trace)

    async def run(self, task: Task[_Result_co]) -> _Result_co:
        """Do a task.

        Raises
        ------
        PictureError
            The picture cannot be read, or reading it took more memory or time than is allowed.
        """
        try:
            result: _Result_co = await asyncio.wrap_future(self._workers.submit(task))
        except LOST as error:
            raise PictureError(
                f"reading the picture took more than {self._memory >> 20} MiB of memory or "
                f"{self._seconds:g} seconds, or crashed its decoder; save it anew, or smaller"
            ) from error
        return result


def _begin(memory: int) -> Callable[[Task[Any]], Any]:
    """Bound this process's memory; what it needs idle has been loaded by importing this module."""
    bound_memory(memory, reserved=True)
    return _do


def _do(task: Task[Any]) -> Any:
    return task.do()
