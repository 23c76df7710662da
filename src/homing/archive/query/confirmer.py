"""The confirmer: compares the answers to queries with their pictures, and looks into collages."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from homing.archive.previews.store import PreviewStore
from homing.archive.query.confirm import HitPicture, Panel, QueryPicture, confirm
from homing.archive.query.originals import Sources
from homing.archive.query.queries import DescribedQuery, describe_views
from homing.archive.results import Hits
from homing.errors import PictureError
from homing.images import shows_nothing, squash
from homing.options import UPRIGHT, SearchOptions
from homing.search.views import View

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

PANEL = "panel"
"""Name of the view of a hit that is one of several pictures in the query."""

_PANEL_HITS = 5  # of each panel, to compare with it
_AT_ONCE = 8  # panels in one pass of the network

_Search = Callable[[Sequence[DescribedQuery], SearchOptions], list[Hits]]


@dataclass(frozen=True)
class Confirmer:
    """Comparison of answers with their queries' pictures.

    A query of which nothing found is a copy is taken apart: each picture in it is searched for.
    """

    store: PreviewStore
    sources: Sources  # of entries without a preview
    descriptor: "Descriptor"
    search: _Search  # for hits without comparing them
    options: SearchOptions

    def confirmed(self, answers: Sequence[Hits], queries: Sequence[DescribedQuery]) -> list[Hits]:
        """Return the answers to queries, compared."""
        pictures = hit_pictures(answers, self.store, self.sources)
        jobs = list(zip(answers, pictures, queries, strict=True))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compared = list(pool.map(self._compare, jobs))
        found = [hits for hits, _ in compared]
        left = [n for n, (hits, picture) in enumerate(compared) if picture and not has_copy(hits)]
        for number in left:
            picture = compared[number][1]
            assert picture is not None
            found[number] = self._search_panels(found[number], picture)
        return found

    def _compare(
        self, job: tuple[Hits, Sequence[HitPicture], DescribedQuery]
    ) -> tuple[Hits, QueryPicture | None]:
        hits, pictures, query = job
        if not hits or query.picture is None:
            return hits, None
        try:
            picture = QueryPicture.read(query.picture, self.options.limits)
        except PictureError:  # a file that has changed since it was described costs no answer
            return hits, None
        return confirm(hits, pictures, picture, self.options.limits), picture

    def _search_panels(self, hits: Hits, picture: QueryPicture) -> Hits:
        """Search for each picture that a query is put together of."""
        panels = picture.panels()
        size = self.descriptor.input_size
        views = [panel_views(panel, size) for panel in panels]
        queries = describe_views(self.descriptor, views, batch=_AT_ONCE, pad=False)
        answers = self.search(queries, panel_options(self.options)) if panels else []
        pictures = hit_pictures(answers, self.store, self.sources)
        found = [
            confirm(answer, those, panel.picture, self.options.limits)
            for answer, those, panel in zip(answers, pictures, panels, strict=True)
        ]
        return with_panels(hits, panels, found)


def hit_pictures(
    answers: Sequence[Hits], store: PreviewStore, sources: Sources
) -> list[list[HitPicture]]:
    """Return the previews of the first hits of several queries, or their files where missing."""
    references = [each.preview for hits in answers for each in hits.recorded]
    found: list[HitPicture] = list(store.find(references)) if references else []
    ids = [hit.id for hits in answers for hit, _ in zip(hits, hits.recorded, strict=False)]
    missing = [number for number, each in enumerate(found) if isinstance(each, str)]
    if missing:  # a lookup of ids, which scans all of them
        places = sources.places(dict.fromkeys(ids[number] for number in missing))
        for number in missing:
            place = places.find(ids[number])
            found[number] = found[number] if isinstance(place, str) else place
    rest = iter(found)
    return [[next(rest) for _ in hits.recorded] for hits in answers]


def has_copy(hits: Hits) -> bool:
    """Return whether any hit, compared, is a copy."""
    return any(hit.confirmed for hit in hits)


def panel_views(panel: Panel, size: int) -> list[View]:
    """Return the view of a panel for the descriptor; none if it shows nothing."""
    pixels = squash(panel.picture.image, size)
    return [] if shows_nothing(pixels) else [View(UPRIGHT, pixels)]


def panel_options(options: SearchOptions) -> SearchOptions:
    """Return the options of a search for a panel."""
    return replace(options, k=min(options.k, _PANEL_HITS), views=UPRIGHT)


def with_panels(hits: Hits, panels: Sequence[Panel], found: Sequence[Hits]) -> Hits:
    """Return the hits of a query with the copies in its panels before them, each entry once."""
    pairs = []
    for panel, answer in zip(panels, found, strict=True):
        copies = {hit.id: hit for hit in panel.copies(answer)}
        pairs += [
            (replace(copies[hit.id], view=PANEL), recorded)
            for hit, recorded in zip(answer, answer.recorded, strict=False)
            if hit.id in copies
        ]
    pairs += list(zip(hits, hits.recorded, strict=False))
    first = {hit.id: (hit, recorded) for hit, recorded in reversed(pairs)}
    ordered = [first[name] for name in dict.fromkeys(hit.id for hit, _ in pairs)]
    rest = [hit for hit in hits[len(hits.recorded) :] if hit.id not in first]
    return hits.replaced(
        [*(hit for hit, _ in ordered), *rest], [recorded for _, recorded in ordered]
    )
