"""Answers to queries: hits with their verdict by similarity."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homing.archive.hits import Hits, SearchResult
from homing.archive.query.calibration import Calibration
from homing.archive.query.confirm import MOST_COMPARED
from homing.archive.query.queries import DescribedQuery
from homing.archive.query.snapshot import QueryHits, Snapshot
from homing.archive.query.verdict import Verdict
from homing.errors import PictureError
from homing.images import shown
from homing.options import SearchOptions
from homing.search.background import nearest_background
from homing.search.engines.combined import Probes, Stage
from homing.search.engines.deadline import Deadline
from homing.search.surroundings import NEIGHBOURS

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
    """Return the hits of each query, with false-alarm rates if the archive is calibrated.

    If the hits are to be compared, what is recorded of their pictures comes with them.
    """
    deadline = Deadline.after(options.deadline)
    others = None if calibration is None else calibration.others
    least_rate = _least_rate(snapshot, options, calibration)
    found = find_hits(snapshot, queries, options, least_rate, deadline, others)
    answers = [
        snapshot.hits(each, _verdicts(each, snapshot, options, calibration)) for each in found
    ]
    if not options.confirm:
        return answers
    positions = [hits.positions[:MOST_COMPARED] for hits in found]
    pictures = iter(snapshot.pictures(np.concatenate(positions)) if positions else ())
    return [
        hits.replaced(hits, {hit.id: next(pictures) for hit in hits[:MOST_COMPARED]})
        for hits in answers
    ]


def _least_rate(
    snapshot: Snapshot, options: SearchOptions, calibration: Calibration | None
) -> Callable[[QueryHits], float] | None:
    """Return what tells the false-alarm rate of a query's surest hit; None where nothing does."""
    if calibration is None:
        return None

    def least_rate(hits: QueryHits) -> float:
        return float(calibration.rates(hits, options.views, len(snapshot)).min(initial=1))

    return least_rate


def _verdicts(
    hits: QueryHits,
    snapshot: Snapshot,
    options: SearchOptions,
    calibration: Calibration | None,
) -> list[Verdict] | None:
    if calibration is None:
        return None
    rates = calibration.rates(hits, options.views, len(snapshot)).tolist()
    return [calibration.verdict(rate, most=options.rate) for rate in rates]


def find_hits(
    snapshot: Snapshot,
    queries: Sequence[DescribedQuery],
    options: SearchOptions,
    least_rate: Callable[[QueryHits], float] | None = None,
    deadline: Deadline | None = None,
    others: NDArray[np.float32] | None = None,
) -> list[QueryHits]:
    """Search for several queries together; return the hits of each, by their best views.

    With `least_rate`, the false-alarm rate of a query's surest hit, each query alone visits more
    cells until that is low enough, unless their number is given. The deadline is for all queries
    together. With the vectors of `others`, the hits come with their surroundings, among which these
    are.
    """
    found = {number: _NOTHING for number, query in enumerate(queries) if not query.views}
    left = [number for number, query in enumerate(queries) if query.views]
    stages: tuple[Stage, ...] = (Stage(snapshot.probes(options.probes)),)
    if least_rate is not None:
        stages = snapshot.stages(options.probes)
    for stage in stages:
        limit = None if deadline is None else deadline.fresh()
        there = [queries[number] for number in left]
        now = search_once(snapshot, there, options, stage.probes, limit, others)
        for number, latest in zip(left, now, strict=True):
            earlier = found.get(number)
            if earlier is not None and latest.partial is not None:  # it may lack earlier hits
                latest = latest.with_earlier(earlier, options.k, by_code=options.rerank == 0)  # noqa: PLW2901
            found[number] = latest
        if least_rate is None or stage is stages[-1]:  # rates of the last stage decide nothing
            break
        enough = max(options.rate, stage.enough)
        left = [number for number in left if least_rate(found[number]) > enough]
        if not left:
            break
    return [found[number] for number in range(len(queries))]


def search_once(
    snapshot: Snapshot,
    queries: Sequence[DescribedQuery],
    options: SearchOptions,
    probes: Probes,
    deadline: Deadline | None,
    others: NDArray[np.float32] | None,
) -> list[QueryHits]:
    """Search for several queries in the same number of cells; otherwise as :func:`find_hits`."""
    if not queries:
        return []
    vectors = np.concatenate([query.vectors for query in queries])
    matches = snapshot.search(
        vectors,
        k=options.k,
        probes=probes,
        rerank=options.rerank,
        deadline=deadline,
        among=others is not None,
    )
    around = None
    if others is not None:
        around = matches.surroundings(nearest_background(vectors, others, NEIGHBOURS))
    ends = np.cumsum([len(query.views) for query in queries]).tolist()
    return [
        snapshot.best_views(
            matches,
            slice(end - len(query.views), end),
            query.views,
            k=options.k,
            by_code=options.rerank == 0,
            around=around,
        )
        for query, end in zip(queries, ends, strict=True)
    ]


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
                yield SearchResult.of(shown(path), seconds, next(answers), query.note)
            else:
                yield SearchResult(shown(path), reason=str(query))
