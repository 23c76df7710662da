"""The confirmer: compares the answers to queries with their pictures, and looks into collages."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from homing.archive.hits import Hit, Hits
from homing.archive.previews.store import PreviewStore
from homing.archive.query.confirm import HitPicture, Panel, QueryPicture, confirm
from homing.archive.query.originals import Sources
from homing.archive.query.queries import DescribedQuery, describe_views
from homing.errors import PictureError
from homing.images import shows_nothing, squash
from homing.options import UPRIGHT, Limits, SearchOptions
from homing.search.views import View

if TYPE_CHECKING:
    from homing.descriptors import Descriptor

_PANEL_HITS = 5  # of each panel, to compare with it
_AT_ONCE = 8  # panels in one pass of the network

_Decided = Callable[[Hits, DescribedQuery, QueryPicture], Hits]
_Search = Callable[[Sequence[DescribedQuery], SearchOptions], list[Hits]]


@dataclass(frozen=True)
class Confirmer:
    """Comparison of answers with their queries' pictures.

    A query of which nothing found is a copy is taken apart: each picture in it is searched for.
    Decisions of people overrule what is found.
    """

    store: PreviewStore
    sources: Callable[[], Sources]  # of entries without a preview; called only for such
    descriptor: "Descriptor"
    search: _Search  # for hits without comparing them
    decided: _Decided  # gives the hits of a query with what people decided
    options: SearchOptions

    def confirmed(self, answers: Sequence[Hits], queries: Sequence[DescribedQuery]) -> list[Hits]:
        """Return the answers to queries, compared."""
        pictures = hit_pictures(answers, self.store, self.sources)
        compare = partial(self._compare, pictures)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compared = list(pool.map(compare, answers, queries))
        found = []
        for query, (hits, picture) in zip(queries, compared, strict=True):
            if picture is not None:
                whole = hits if has_copy(hits) else self._search_panels(hits, picture)
                hits = self.decided(whole, query, picture)  # noqa: PLW2901
            found.append(hits)
        return found

    def _compare(
        self, pictures: Mapping[str, HitPicture], hits: Hits, query: DescribedQuery
    ) -> tuple[Hits, QueryPicture | None]:
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
        return confirm_panels(hits, panels, answers, pictures, self.options.limits)


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


def confirm_panels(
    hits: Hits,
    panels: Sequence[Panel],
    answers: Sequence[Hits],
    pictures: Mapping[str, HitPicture],
    limits: Limits,
) -> Hits:
    """Compare the pictures within a query with their answers; their copies come before its hits."""
    copies: dict[str, Hit] = {}
    recorded = dict(hits.recorded)
    for panel, answer in zip(panels, answers, strict=True):
        for hit in panel.copies(confirm(answer, pictures, panel.picture, limits)):
            copies.setdefault(hit.id, hit)
            recorded[hit.id] = answer.recorded[hit.id]
    rest = (hit for hit in hits if hit.id not in copies)
    return hits.replaced([*copies.values(), *rest], recorded)
