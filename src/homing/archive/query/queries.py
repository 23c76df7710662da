"""Queries: pictures described in their views."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from homing.errors import PictureError
from homing.images import SHOWS_NOTHING, Source, shown
from homing.options import UPRIGHT, SearchOptions
from homing.search.views import View, query_views

if TYPE_CHECKING:
    from PIL import Image

    from homing.descriptors import Descriptor

_AT_ONCE = 16  # pictures in one pass of the network
_VIEWS_AT_ONCE = 8  # views in one pass, where a picture has several


@dataclass(frozen=True, eq=False)
class DescribedQuery:
    """Query as described: the names of its v views, and their descriptors."""

    views: tuple[str, ...]  # empty for a picture that shows nothing
    vectors: NDArray[np.float32]  # (v, D)
    picture: "Source | Image.Image | None" = None  # source of the picture itself
    damage: tuple[str, ...] = ()  # what was wrong with its file

    @property
    def note(self) -> str | None:
        """Note on the answer: there is nothing to see, or the file is damaged."""
        return ("; ".join(self.damage) or None) if self.views else SHOWS_NOTHING


def describe_query(
    descriptor: "Descriptor", picture: "Source | Image.Image", options: SearchOptions
) -> DescribedQuery:
    """Describe the views of one picture, all in one call."""
    try:
        views = query_views(picture, descriptor.input_size, options.views, limits=options.limits)
    except PictureError as error:
        if isinstance(picture, str | PathLike):
            raise PictureError(f"{shown(picture)}: {error}") from error
        raise
    (query,) = describe_views(descriptor, [views], batch=_VIEWS_AT_ONCE, pad=False)
    return replace(query, picture=picture)


def describe_queries(
    descriptor: "Descriptor", paths: Sequence[Path], options: SearchOptions
) -> Iterator[list[tuple[Path, DescribedQuery | PictureError]]]:
    """Describe many pictures, a batch at a time, in order, on all processors.

    A batch fills one pass of the network as far as views allow; it is read and described by one
    thread while others do the next ones.
    """
    from homing.descriptors.workers import map_in_order

    def describe(batch: Sequence[Path]) -> list[tuple[Path, DescribedQuery | PictureError]]:
        return _describe_batch(descriptor, batch, options)

    size = {UPRIGHT: _AT_ONCE, "turned": _AT_ONCE // _VIEWS_AT_ONCE}.get(options.views, 1)
    rest = iter(paths)
    batches = iter(lambda: list(islice(rest, size)), [])
    if len(paths) <= 1:  # alone, it has all processors for itself
        yield from map(describe, batches)
    else:
        yield from map_in_order(describe, batches)


def _describe_batch(
    descriptor: "Descriptor", batch: Sequence[Path], options: SearchOptions
) -> list[tuple[Path, DescribedQuery | PictureError]]:
    size, limits = descriptor.input_size, options.limits
    found: list[Any] = []
    for path in batch:
        try:
            found.append(query_views(path, size, options.views, limits=limits))
        except PictureError as error:
            found.append(error)
    read = [views for views in found if not isinstance(views, PictureError)]
    at_once = _AT_ONCE if options.views == UPRIGHT else _VIEWS_AT_ONCE
    queries = iter(describe_views(descriptor, read, batch=at_once, pad=len(batch) > 1))
    return [
        (path, views if isinstance(views, PictureError) else replace(next(queries), picture=path))
        for path, views in zip(batch, found, strict=True)
    ]


def describe_views(
    descriptor: "Descriptor", queries: Sequence[Sequence[View]], *, batch: int, pad: bool
) -> list[DescribedQuery]:
    """Describe the views of several queries together, in passes of `batch` views."""
    views = [view for each in queries for view in each]
    if views:
        pixels = np.stack([view.pixels for view in views])
        vectors = descriptor.describe_squashed(pixels, batch=batch, pad=pad)
    else:
        vectors = np.empty((0, descriptor.dimension), np.float32)
    ends = itertools.accumulate(len(each) for each in queries)
    return [
        DescribedQuery(
            tuple(view.name for view in each),
            vectors[end - len(each) : end],
            damage=each[0].notes if each else (),
        )
        for each, end in zip(queries, ends, strict=True)
    ]
