"""Segments of an index searched separately at once, one after the other, and by Lance's one call.

The same synthetic entries in one, two, four and eight segments. Three ways to ask them: as under a
deadline (a thread for each segment, answers merged), the same with one thread, and as without a
deadline: one call of Lance over all segments, which divides the work itself. All find the same.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _common import compare, describe_setup, parser, prepare_process, require, working_folder

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
    made = parser(__doc__, photos=False)
    made.add_argument("--entries", type=int, default=1_000_000)
    made.add_argument("--probes", type=int, default=8)
    made.add_argument("--rounds", type=int, default=15)
    return made


def _index(archive, count: int) -> None:
    """Replace the index by one of `count` segments of the same size."""
    from homing.archive.table.index import (
        add_index_column,
        build_segment,
        commit_segment,
        drop_index,
        read_coverage,
    )

    table, codebook = archive._table.of_generation(1), archive.codebook
    add_index_column(table, codebook)
    if read_coverage(table, codebook).segments:
        drop_index(table, codebook)
    numbers = list(read_coverage(table, codebook).unindexed)
    for group in np.array_split(numbers, count):
        with tempfile.TemporaryDirectory() as folder:
            segment = build_segment(table, codebook, group.tolist(), Path(folder))
            require(
                commit_segment(table, codebook, group.tolist(), segment),
                "another process came between",
            )
    archive._table.refresh()
    require(
        len(read_coverage(table, codebook).segments) == count, "segments are not as many as asked"
    )


def _measure(archive, count: int, queries: np.ndarray, options) -> None:
    apart, in_turn, at_once = _ways(archive, options.probes)
    same = [way(queries[:50])[1] for way in (apart, in_turn, at_once)]
    for other in same[1:]:
        require(np.allclose(same[0], other, atol=1e-5), "the ways found other distances")
    for batch in (1, 100):
        for name, bare in (("one after the other", in_turn), ("Lance at once", at_once)):
            made = compare(
                _next(apart, queries, batch), _next(bare, queries, batch), rounds=options.rounds
            )
            print(
                f"{count} segments, batches of {batch}, beside {name}: {made.line(batch, 'query')}"
            )


def _next(way: Callable, queries: np.ndarray, batch: int) -> Callable[[], object]:
    """Ask the next batch at each call."""
    firsts = iter(range(0, len(queries) * 10, batch))

    def ask():
        first = next(firsts) % len(queries)
        return way(queries[first : first + batch])

    return ask


def _ways(archive, probes: int) -> list[Callable]:
    from homing.archive.query.engines import open_engine
    from homing.search.engines import deadline
    from homing.search.engines.deadline import Deadline

    engine, _, _ = open_engine(archive._table, [archive.codebook], "lance")
    asked = {"candidates": _CANDIDATES, "probes": (probes,)}

    def apart(queries, at_once: int = 8):
        deadline._AT_ONCE = at_once
        allowed = Deadline(600)
        found = engine.search(queries, **asked, deadline=allowed)
        require(allowed.partial is None, "a segment has not answered")
        return found

    return [
        apart,
        lambda queries: apart(queries, at_once=1),
        lambda queries: engine.search(queries, **asked),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
