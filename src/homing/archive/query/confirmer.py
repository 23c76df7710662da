"""The confirmer: compares the answers to queries with their pictures, and looks into collages."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homing.archive.hits import Hit, Hits
from homing.archive.previews.store import PreviewStore
from homing.archive.query.confirm import (
    HitPicture,
    Panel,
    QueryPicture,
    confirm,
    is_chance,
)
from homing.archive.query.originals import Sources
from homing.archive.query.queries import DescribedQuery, describe_views
from homing.errors import PictureError
from homing.images import shows_nothing, squash
from homing.options import UPRIGHT, Limits, SearchOptions
from homing.search.frames.panels import Box
from homing.search.frames.rest import area, intersection, is_taken
from homing.search.views import View

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

_PANEL_HITS = 3  # of each panel, to compare with it; the first of 324 was always the right one
_AT_ONCE = 8  # panels in one pass of the network

_Decided = Callable[[Hits, DescribedQuery, QueryPicture], Hits]
_Search = Callable[[Sequence[DescribedQuery], SearchOptions], list[Hits]]


@dataclass(frozen=True)
class Confirmer:
    """Comparison of answers with their queries' pictures.

    What of a query shows no copy is taken apart: each picture in it is searched for, and what is
    beside it once it is found to be a copy.
    Decisions of people overrule what is found.
    """

    store: PreviewStore
    sources: Callable[[], Sources]  # of entries without a preview; called only for such
    descriptor: "Descriptor"
    search: _Search  # for hits without comparing them
    decided: _Decided  # gives the hits of a query with what people decided
    options: SearchOptions
    picture: QueryPicture | None = None  # of the only query, if it is read already

    def confirmed(self, answers: Sequence[Hits], queries: Sequence[DescribedQuery]) -> list[Hits]:
        """Return the answers to queries, compared."""
        pictures = hit_pictures(answers, self.store, self.sources)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            each_of: Callable[..., Iterable[Any]] = map if len(queries) == 1 else pool.map
            seen = list(each_of(partial(self._compare, pictures), answers, queries))
            places = [n for n, each in enumerate(seen) if each.picture is not None]
            while places:
                latest = self._search_within([seen[n] for n in places], each_of)
                for n, each in zip(places, latest, strict=True):
                    seen[n] = each
                places = [n for n in places if seen[n].may_show_more]
        return [
            each.hits if each.picture is None else self.decided(each.hits, query, each.picture)
            for query, each in zip(queries, seen, strict=True)
        ]

    def _compare(
        self, pictures: Mapping[str, HitPicture], hits: Hits, query: DescribedQuery
    ) -> "SeenQuery":
        if not hits or query.picture is None:
            return SeenQuery(hits)
        try:
            picture = self.picture or QueryPicture.read(query.picture, self.options.limits)
        except PictureError:  # a file that has changed since it was described costs no answer
            return SeenQuery(hits)
        return SeenQuery(confirm(hits, pictures, picture, self.options.limits), picture)

    def _search_within(
        self, queries: Sequence["SeenQuery"], each_of: Callable[..., Iterable[Any]]
    ) -> "list[SeenQuery]":
        """Search for the pictures within several queries, all in one search."""
        size = self.descriptor.input_size
        panels = list(each_of(partial(SeenQuery.panels, size=size), queries))
        views = [view for each in panels for _, view in each]
        described = describe_views(self.descriptor, views, batch=_AT_ONCE, pad=False)
        answers = self.search(described, panel_options(self.options)) if views else []
        pictures = hit_pictures(answers, self.store, self.sources)
        rest = iter(answers)
        theirs = [[next(rest) for _ in each] for each in panels]
        boxes = [[panel.box for panel, _ in each] for each in panels]
        join = partial(SeenQuery.joined, pictures=pictures, limits=self.options.limits)
        return list(each_of(join, queries, boxes, theirs))


@dataclass(frozen=True, eq=False)
class SeenQuery:
    """A query as compared with its hits, and the places in it that were searched for."""

    hits: Hits
    picture: QueryPicture | None = None  # None: it cannot be compared
    tried: tuple[Box, ...] = ()
    may_show_more: bool = True  # copies were found since places were looked for

    def panels(self, size: int) -> list[tuple[Panel, list[View]]]:
        """Return pictures that may be within the query, each with its view of `size` pixels."""
        if self.picture is None or not self.may_show_more:
            return []
        found = self.picture.panels(self.hits, self.tried)
        viewed = ((panel, panel_view(panel, size)) for panel in found)
        return [(panel, view) for panel, view in viewed if view]

    def joined(
        self,
        boxes: Sequence[Box],
        answers: Sequence[Hits],
        pictures: Mapping[str, HitPicture],
        limits: Limits,
    ) -> "SeenQuery":
        """Compare the pictures at some places within it with their hits, and add the copies.

        Those that resemble an entry most come first. Places that resemble one by chance are passed
        over, and so are those where a copy was found meanwhile: parts, and what holds several.
        """
        assert self.picture is not None
        before = {hit.id for hit in self.hits if hit.confirmed}
        copies = [hit for hit in self.hits if hit.id in before]
        recorded = dict(self.hits.recorded)
        found_there = [pair for pair in zip(boxes, answers, strict=True) if pair[1]]
        for box, answer in sorted(found_there, key=lambda pair: -pair[1][0].similarity):
            if is_chance(answer[0]) or is_taken(box, self.picture.places(copies)):
                continue
            panel = Panel(box, self.picture)
            for hit in panel.copies(confirm(answer, pictures, panel.picture, limits)):
                if hit.id not in {copy.id for copy in copies}:
                    copies.append(hit)
                    recorded[hit.id] = answer.recorded[hit.id]
        found = {hit.id for hit in copies}
        rest = [hit for hit in self.hits if hit.id not in found]
        most = max(len(self.hits), len(copies))
        hits = self.hits.replaced([*in_reading_order(copies), *rest][:most], recorded)
        return SeenQuery(hits, self.picture, (*self.tried, *boxes), len(found) > len(before))


def in_reading_order(copies: Sequence[Hit]) -> list[Hit]:
    """Sort copies in a query as it is read; those in one place stay in their order."""
    places: list[tuple[Box, list[Hit]]] = []
    for hit in copies:
        box = hit.region or (0, 0, 0, 0)
        for other, hits in places:
            if 2 * intersection(box, other) >= min(area(box), area(other)):
                hits.append(hit)
                break
        else:
            places.append((box, [hit]))
    places.sort(key=lambda place: place[0][1])
    rows: list[list[tuple[Box, list[Hit]]]] = []
    for place in places:
        if rows and any(_beside(place[0], box) for box, _ in rows[-1]):
            rows[-1].append(place)
        else:
            rows.append([place])
    ordered = [place for row in rows for place in sorted(row, key=lambda place: place[0][0])]
    return [hit for _, hits in ordered for hit in hits]


def _beside(one: Box, other: Box) -> bool:
    """Return whether half of the lower of two boxes is as high up as the other."""
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return 2 * shared >= min(one[3] - one[1], other[3] - other[1])


def hit_pictures(
    answers: Sequence[Hits], store: PreviewStore, sources: Callable[[], Sources]
) -> dict[str, HitPicture]:
    """Return the previews of the hits recorded of several queries, by id; files where missing."""
    recorded = {name: each for hits in answers for name, each in hits.recorded.items()}
    previews = store.find([each.preview for each in recorded.values()])
    found: dict[str, HitPicture] = dict(zip(recorded, previews, strict=True))
    missing = [name for name, each in found.items() if isinstance(each, str)]
    if missing:  # a lookup of ids, which scans all of them
        files = sources().places(missing).files
        found |= {name: file for name, file in files.items() if isinstance(file, Path)}
    return found


def panel_view(panel: Panel, size: int) -> list[View]:
    """Return the view of a panel for the descriptor; none if it shows nothing."""
    pixels = squash(panel.picture.image, size)
    return [] if shows_nothing(pixels) else [View(UPRIGHT, pixels)]


def panel_options(options: SearchOptions) -> SearchOptions:
    """Return the options of a search for a panel."""
    return replace(options, k=min(options.k, _PANEL_HITS), views=UPRIGHT)
