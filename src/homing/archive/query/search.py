"""Searching for pictures: their views described, looked for together, and the best view kept."""

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.query.snapshot import QueryHits, Snapshot
from homing.archive.results import Hits, SearchResult
from homing.errors import PictureError
from homing.images import SHOWS_NOTHING, Source, as_rgb, read_rgb, shown
from homing.options import UPRIGHT, Limits, SearchOptions
from homing.search import Deadline, Probes, View, query_views

if TYPE_CHECKING:
    from PIL import Image

    from homing.descriptors import Descriptor

_NOTHING = QueryHits(
    np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.float32), (), looked=0
)
_AT_ONCE = 16  # pictures that one pass of the network takes
_POSTURES = 8  # views that one pass takes of a picture looked at in several ways


@dataclass(frozen=True, eq=False)
class DescribedQuery:
    """A query as described.

    Attributes
    ----------
    views : tuple of str
        What each view is; none of a picture that shows nothing.
    vectors : array (v, D), float32
        Descriptor of each view.
    picture : Source, PIL.Image.Image or None
        Where the picture itself is to be had.
    """

    views: tuple[str, ...]
    vectors: NDArray[np.float32]
    picture: "Source | Image.Image | None" = None


def look(
    descriptor: "Descriptor", picture: "Source | Image.Image", asked: SearchOptions
) -> DescribedQuery:
    """Describe the views of one picture, all in one call."""
    try:
        views = query_views(picture, descriptor.input_size, asked.views, limits=asked.limits)
    except PictureError as error:
        if isinstance(picture, str | PathLike):
            raise PictureError(f"{shown(picture)}: {error}") from error
        raise
    vectors = _vectors(descriptor, views, batch=_POSTURES)
    return DescribedQuery(tuple(view.name for view in views), vectors, picture)


def _vectors(
    descriptor: "Descriptor", views: Sequence[View], *, batch: int, pad: bool = False
) -> NDArray[np.float32]:
    """Descriptors (v, D) of views, of which there may be none."""
    if not views:
        return np.empty((0, descriptor.dimension), np.float32)
    return descriptor.describe_squashed(
        np.stack([view.pixels for view in views]), batch=batch, pad=pad
    )


def full_picture(query: DescribedQuery, limits: Limits) -> "Image.Image":
    """Return the picture of a query at its full size, 8-bit RGB, upright."""
    from PIL import Image

    if isinstance(query.picture, Image.Image):
        return as_rgb(query.picture)
    assert query.picture is not None
    return read_rgb(query.picture, limits=limits)


def look_at_all(
    descriptor: "Descriptor", paths: Sequence[Path], asked: SearchOptions
) -> Iterator[list[tuple[Path, DescribedQuery | PictureError]]]:
    """Describe many pictures, a batch at a time, in order, on all processors.

    A batch fills one pass of the network as far as views allow; it is read and described by one
    thread while others do the next ones.
    """
    from homing.descriptors.workers import map_in_order

    def describe(batch: Sequence[Path]) -> list[tuple[Path, DescribedQuery | PictureError]]:
        return _described(descriptor, batch, asked)

    size = {UPRIGHT: _AT_ONCE, "turned": _AT_ONCE // _POSTURES}.get(asked.views, 1)
    rest = iter(paths)
    batches = iter(lambda: list(islice(rest, size)), [])
    if len(paths) <= 1:  # alone, it has all processors for itself
        yield from map(describe, batches)
    else:
        yield from map_in_order(describe, batches)


def _described(
    descriptor: "Descriptor", batch: Sequence[Path], asked: SearchOptions
) -> list[tuple[Path, DescribedQuery | PictureError]]:
    found: list[Any] = []
    for path in batch:
        try:
            found.append(query_views(path, descriptor.input_size, asked.views, limits=asked.limits))
        except PictureError as error:
            found.append(error)
    seen = [views for views in found if not isinstance(views, PictureError)]
    at_once = _AT_ONCE if asked.views == UPRIGHT else _POSTURES
    looked = iter(look_through(descriptor, seen, batch=at_once, pad=len(batch) > 1))
    return [
        (path, views if isinstance(views, PictureError) else replace(next(looked), picture=path))
        for path, views in zip(batch, found, strict=True)
    ]


def look_through(
    descriptor: "Descriptor", seen: Sequence[Sequence[View]], *, batch: int, pad: bool
) -> list[DescribedQuery]:
    """Describe the views of several queries together, in passes of `batch` views."""
    views = [view for each in seen for view in each]
    vectors = _vectors(descriptor, views, batch=batch, pad=pad)
    ends = itertools.accumulate(len(each) for each in seen)
    return [
        DescribedQuery(tuple(view.name for view in each), vectors[end - len(each) : end])
        for each, end in zip(seen, ends, strict=True)
    ]


def find(
    snapshot: Snapshot,
    looked: Sequence[DescribedQuery],
    asked: SearchOptions,
    sure: Callable[[QueryHits], bool] | None = None,
    deadline: Deadline | None = None,
) -> list[QueryHits]:
    """Look for several queries together.

    Parameters
    ----------
    snapshot : Snapshot
    looked : sequence of DescribedQuery
    asked : SearchOptions
    sure : callable or None
        Whether what was found for a query leaves no need to look in more cells; where the number
        of these is not given, each query alone decides it.
    deadline : Deadline or None
        With the parts of the archive, for all queries together.

    Returns
    -------
    list of QueryHits
        For each query the entries found, each by the view that resembles it most.
    """
    found = {number: _NOTHING for number, query in enumerate(looked) if not query.views}
    left = [number for number, query in enumerate(looked) if query.views]
    for probes in _stages(snapshot, asked, sure):
        asking = None if deadline is None else deadline.again()
        now = _found(snapshot, [looked[number] for number in left], asked, probes, asking)
        for number, latest in zip(left, now, strict=True):
            earlier = found.get(number)
            if earlier is not None and latest.partial is not None:  # what that left out may be it
                latest = latest.with_earlier(earlier, asked.k, by_code=asked.rerank == 0)  # noqa: PLW2901
            found[number] = latest
        left = [number for number in left if sure is None or not sure(found[number])]
        if not left:
            break
    return [found[number] for number in range(len(looked))]


def _stages(
    snapshot: Snapshot, asked: SearchOptions, sure: Callable[[QueryHits], bool] | None
) -> tuple[int | Probes, ...]:
    if asked.probes is not None:
        return (asked.probes,)
    return (snapshot.automatic_probes(),) if sure is None else snapshot.probe_stages()


def _found(
    snapshot: Snapshot,
    looked: Sequence[DescribedQuery],
    asked: SearchOptions,
    probes: int | Probes,
    deadline: Deadline | None,
) -> list[QueryHits]:
    if not looked:
        return []
    matches = snapshot.search(
        np.concatenate([each.vectors for each in looked]),
        k=asked.k,
        probes=probes,
        rerank=asked.rerank,
        deadline=deadline,
    )
    ends = np.cumsum([len(each.views) for each in looked]).tolist()
    return [
        snapshot.best(
            matches, slice(end - len(each.views), end), each.views, by_code=asked.rerank == 0
        )
        for each, end in zip(looked, ends, strict=True)
    ]


def results(
    batches: Iterable[list[tuple[Path, DescribedQuery | PictureError]]],
    answer: Callable[[Sequence[DescribedQuery]], list[Hits]],
) -> Iterator[SearchResult]:
    """Search for what was described, batch by batch; a bad picture gives its reason."""
    clock = time.perf_counter()
    for batch in batches:
        found = iter(answer([query for _, query in batch if isinstance(query, DescribedQuery)]))
        now = time.perf_counter()
        seconds, clock = (now - clock) / len(batch), now
        for path, query in batch:
            if isinstance(query, DescribedQuery):
                note = None if query.views else SHOWS_NOTHING
                hits = next(found)
                yield SearchResult(shown(path), seconds, hits, note=note, partial=hits.partial)
            else:
                yield SearchResult(shown(path), reason=str(query))
