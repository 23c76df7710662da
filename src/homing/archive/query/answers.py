"""Answers to queries: hits with their verdict, confirmed by local features if requested."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from homing.archive.query.calibration import Calibration
from homing.archive.query.originals import Places, Sources
from homing.archive.query.queries import DescribedQuery, full_picture
from homing.archive.query.snapshot import QueryHits, Snapshot
from homing.archive.query.verdict import Verdict, decide_by_features
from homing.archive.results import Hit, Hits, SearchResult
from homing.errors import PictureError
from homing.evidence import ComparableQuery, ComparableRecord
from homing.images import SHOWS_NOTHING, read_rgb, shown
from homing.options import Limits, SearchOptions
from homing.search.engines.combined import Probes
from homing.search.engines.deadline import Deadline

MOST_CONFIRMED = 5
"""Most hits of a query to confirm: each costs a picture read and compared."""

_NOTHING = QueryHits(
    np.empty(0, np.int64),
    np.empty(0, np.float32),
    np.empty(0, np.float32),
    (),
    view_count=0,
    cells_searched=0,
)


def answer_queries(
    snapshot: Snapshot,
    queries: Sequence[DescribedQuery],
    options: SearchOptions,
    calibration: Calibration | None,
) -> list[Hits]:
    """Return the hits of each query, with false-alarm rates if the archive is calibrated."""
    deadline = Deadline.after(options.deadline)
    if calibration is None:
        found = find_hits(snapshot, queries, options, deadline=deadline)
        return [snapshot.hits(hits) for hits in found]

    def rates(hits: QueryHits) -> NDArray[np.float64]:
        return calibration.rates(hits, options.views, len(snapshot))

    def has_copy(hits: QueryHits) -> bool:
        return bool((rates(hits) <= options.rate).any())

    def verdicts(hits: QueryHits) -> list[Verdict]:
        least = calibration.least
        return [Verdict.by_rate(r, most=options.rate, least=least) for r in rates(hits).tolist()]

    found = find_hits(snapshot, queries, options, has_copy, deadline)
    return [snapshot.hits(hits, verdicts(hits)) for hits in found]


def find_hits(
    snapshot: Snapshot,
    queries: Sequence[DescribedQuery],
    options: SearchOptions,
    is_enough: Callable[[QueryHits], bool] | None = None,
    deadline: Deadline | None = None,
) -> list[QueryHits]:
    """Search for several queries together; return the hits of each, by their best views.

    If the number of cells is not given, each query alone visits more of them until `is_enough` is
    true of its hits. The deadline is for all queries together.
    """
    found = {number: _NOTHING for number, query in enumerate(queries) if not query.views}
    left = [number for number, query in enumerate(queries) if query.views]
    stages: tuple[int | Probes, ...] = snapshot.probe_stages()
    if options.probes is not None:
        stages = (options.probes,)
    elif is_enough is None:
        stages = (snapshot.automatic_probes(),)
    for probes in stages:
        limit = None if deadline is None else deadline.fresh()
        now = _search_stage(snapshot, [queries[number] for number in left], options, probes, limit)
        for number, latest in zip(left, now, strict=True):
            earlier = found.get(number)
            if earlier is not None and latest.partial is not None:  # it may lack earlier hits
                latest = latest.with_earlier(earlier, options.k, by_code=options.rerank == 0)  # noqa: PLW2901
            found[number] = latest
        left = [number for number in left if is_enough is None or not is_enough(found[number])]
        if not left:
            break
    return [found[number] for number in range(len(queries))]


def _search_stage(
    snapshot: Snapshot,
    queries: Sequence[DescribedQuery],
    options: SearchOptions,
    probes: int | Probes,
    deadline: Deadline | None,
) -> list[QueryHits]:
    if not queries:
        return []
    matches = snapshot.search(
        np.concatenate([query.vectors for query in queries]),
        k=options.k,
        probes=probes,
        rerank=options.rerank,
        deadline=deadline,
    )
    ends = np.cumsum([len(query.views) for query in queries]).tolist()
    found = (
        snapshot.best_views(
            matches, slice(end - len(query.views), end), query.views, by_code=options.rerank == 0
        )
        for query, end in zip(queries, ends, strict=True)
    )
    cells = snapshot.count_cells(probes)
    return [replace(hits, cells_searched=cells) for hits in found]


def search_results(
    batches: Iterable[list[tuple[Path, DescribedQuery | PictureError]]],
    answer: Callable[[Sequence[DescribedQuery]], list[Hits]],
) -> Iterator[SearchResult]:
    """Answer described queries batch by batch; the result of a bad picture is the reason."""
    clock = time.perf_counter()
    for batch in batches:
        answers = iter(answer([query for _, query in batch if isinstance(query, DescribedQuery)]))
        now = time.perf_counter()
        seconds, clock = (now - clock) / len(batch), now
        for path, query in batch:
            if isinstance(query, DescribedQuery):
                note = None if query.views else SHOWS_NOTHING
                hits = next(answers)
                yield SearchResult.of(shown(path), seconds, hits, note)
            else:
                yield SearchResult(shown(path), reason=str(query))


def confirm_answers(
    answers: Sequence[Hits],
    queries: Sequence[DescribedQuery],
    options: SearchOptions,
    sources: Sources,
) -> list[Hits]:
    """Confirm the best hits of several queries."""
    confirmed = list(answers)
    for number, (hits, query) in enumerate(zip(answers, queries, strict=True)):
        if hits:
            # A file that has changed since it was described costs no answer.
            with contextlib.suppress(PictureError):
                suspect = full_picture(query, options.limits)
                found = confirm(hits, suspect, sources, options.limits)
                confirmed[number] = hits.replaced(found)
    return confirmed


def confirm(
    hits: Sequence[Hit], suspect: Image.Image, sources: Sources | Places, limits: Limits
) -> tuple[Hit, ...]:
    """Compare the best hits' pictures with a query: agreeing ones come first, disagreeing last.

    A hit whose details agree is a copy however unlike its descriptor is; one whose details
    disagree, though there are enough of them, is none. If the record's picture is unavailable or
    has too little texture, the verdict is unchanged.
    """
    seen = ComparableQuery(suspect)
    compared = [_confirm_hit(hit, seen, sources, limits) for hit in hits[:MOST_CONFIRMED]]
    order = {True: 0, None: 1, False: 2}
    return tuple(sorted([*compared, *hits[MOST_CONFIRMED:]], key=lambda hit: order[hit.confirmed]))


def _confirm_hit(
    hit: Hit, query: ComparableQuery, sources: Sources | Places, limits: Limits
) -> Hit:
    place = sources.find(hit.id)
    if isinstance(place, str):
        return hit
    try:
        record = ComparableRecord(read_rgb(place, limits=limits))
    except PictureError:
        return hit
    return decide_by_features(hit, query.compare(record).confirmed)
