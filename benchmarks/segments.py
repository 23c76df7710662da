"""Segments of an index searched in parallel, one after the other, and by one call of Lance.

The same synthetic entries are indexed in one, two, four and eight segments and searched in three
ways: as under a deadline (a thread for each segment, answers merged), the same with one thread, and
as without a deadline: one call of Lance over all segments. All give the same hits.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _common import compare, describe_setup, make_parser, prepare_process, require, working_folder

_CANDIDATES = 64


def main() -> int:
    """Run the benchmark."""
    options = _parser().parse_args()
    prepare_process(options.threads)
    from _synthetic import make_archive, make_queries

    describe_setup(entries=options.entries, probes=options.probes)
    with working_folder(options.work) as folder:
        archive = make_archive(
            folder / "archive", options.entries, per_file=-(-options.entries // 8)
        )
        queries = make_queries(archive, 100 * options.rounds)
        for count in (1, 2, 4, 8):
            _index(archive, count)
            _measure(archive, count, queries, options)
    return 0


def _parser():
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--probes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    return parser


def _index(archive, count: int) -> None:
    """Replace the index by one of `count` segments of the same size."""
    from homing.archive.table.index.form import IndexForm
    from homing.archive.table.index.segments import (
        add_index_column,
        build_segment,
        commit_segment,
        drop_index,
        read_coverage,
    )

    table, codebook = archive._table.of_generation(1), archive.codebook
    add_index_column(table, IndexForm(codebook))
    if read_coverage(table, codebook).segments:
        drop_index(table, IndexForm(codebook))
    numbers = list(read_coverage(table, codebook).unindexed)
    for group in np.array_split(numbers, count):
        with tempfile.TemporaryDirectory() as folder:
            segment = build_segment(table, IndexForm(codebook), group.tolist(), Path(folder))
            require(
                commit_segment(table, IndexForm(codebook), group.tolist(), segment),
                "another process changed the index meanwhile",
            )
    archive._table.refresh()
    require(
        len(read_coverage(table, codebook).segments) == count,
        "the number of segments is not the requested one",
    )


def _measure(archive, count: int, queries: np.ndarray, options) -> None:
    parallel, in_turn, one_call = _make_searches(archive, options.probes)
    distances = [search(queries[:50])[1] for search in (parallel, in_turn, one_call)]
    for other in distances[1:]:
        require(
            np.allclose(distances[0], other, atol=1e-5), "the searches found different distances"
        )
    for batch in (1, 100):
        for name, bare in (("one after the other", in_turn), ("one call of Lance", one_call)):
            times = compare(
                _search_next(parallel, queries, batch),
                _search_next(bare, queries, batch),
                rounds=options.rounds,
            )
            print(
                f"{count} segments, batches of {batch}, beside {name}: "
                f"{times.format_line(batch, 'query')}"
            )


def _search_next(search: Callable, queries: np.ndarray, batch: int) -> Callable[[], object]:
    """Return a function that searches for the next batch at each call."""
    firsts = iter(range(0, len(queries) * 10, batch))

    def run():
        first = next(firsts) % len(queries)
        return search(queries[first : first + batch])

    return run


def _make_searches(archive, probes: int) -> list[Callable]:
    from homing.archive.query.engines import open_engine
    from homing.search.engines import deadline
    from homing.search.engines.deadline import Deadline

    engine, _, _ = open_engine(archive._table, [archive.codebook], "lance")
    settings = {"candidates": _CANDIDATES, "probes": (probes,)}

    def parallel(queries, threads: int = 8):
        deadline._AT_ONCE = threads
        limit = Deadline(600)
        found = engine.search(queries, **settings, deadline=limit)
        require(limit.partial is None, "a segment has not answered")
        return found

    return [
        parallel,
        lambda queries: parallel(queries, threads=1),
        lambda queries: engine.search(queries, **settings),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
