"""Copies called in a large archive: `python benchmarks/calling.py PHOTOS --background OTHERS`.

An archive holds photographs of PHOTOS, those of OTHERS, and crops of these. It is searched, by
default, for copies of the photographs under the fourteen edits, and for copies of further ones that
it does not hold. Prints how many are found first by similarity, how many of these are called
copies of the right entry (and would be by similarity alone), and what else is called a copy. The
pictures of OTHERS are recorded by their vectors alone; they are read, and their crops made, where
they are compared.
"""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from _common import (
    check_target,
    describe_setup,
    make_parser,
    prepare_process,
    require,
    working_folder,
)


def main() -> int:
    """Make the archive, search, and print what is said."""
    parser = make_parser(__doc__)
    parser.add_argument("--background", type=Path, required=True, help="folder of other pictures")
    parser.add_argument("--base-size", type=int, default=100_000, help="of these, with their crops")
    parser.add_argument("--codebook", default="IVF1024,PQ8x8", help="a bundled one, or a file")
    parser.add_argument("--count", type=int, default=60, help="photographs copied")
    parser.add_argument("--strangers", type=int, default=20, help="further ones, under each edit")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    prepare_process(options.threads)
    from _finding import make_passive, make_queries

    from homing.bench.context import open_pool
    from homing.edits import paper_edits
    from homing.images import find_pictures

    found = list(find_pictures(options.photos))
    ours, theirs = found[: options.count], found[options.count :][: options.strangers]
    require(len(theirs) == options.strangers, "there are too few photographs")
    with working_folder(options.work) as folder, open_pool(None) as workers:
        state = make_passive(ours, options, workers, folder)
        describe_setup(archive=f"{len(state.archive)} entries, {len(ours)} of them copied")
        total: Counter = Counter()
        print(
            f"{'edit':20} {'first':>7} {'called, of these':>17} {'called, others':>15}", flush=True
        )
        for place, edit in enumerate(paper_edits()):
            counts: Counter = Counter()
            for chunk in make_queries(state.files, state.ids, edit, place, options.seed):
                counts += told(state.archive, chunk)
            files = [photo.path for photo in theirs]
            for chunk in make_queries(files, [""] * len(files), edit, place, options.seed):
                counts += told(state.archive, chunk)
            print(line(edit.name, counts), flush=True)
            total += counts
    print(line("all", total))
    print(f"strangers called copies: {total['stranger called']} of {total['strangers']}")
    share = total["called"] / max(1, total["first"])
    return 0 if check_target("called, of those found first", share, at_least=0.95) else 1


def told(archive, queries) -> Counter:
    """Count what is said of queries."""
    from homing.archive.query.queries import describe_query
    from homing.options import SearchOptions

    options, counts = SearchOptions(), Counter()
    for query in queries:
        described = describe_query(archive.descriptor, query.picture(), options)
        (similar,) = archive.answer([described], replace(options, confirm=False))
        (hits,) = archive.answer([described], options)
        called = {hit.id for hit in hits if hit.is_copy}
        if not query.wanted:
            counts += Counter({"strangers": 1, "stranger called": bool(called)})
            continue
        first = bool(similar) and similar[0].id == query.wanted
        right = bool(hits) and hits[0].id == query.wanted and bool(hits[0].is_copy)
        counts += Counter(
            {
                "copies": 1,
                "first": first,
                "called": first and right,
                "by similarity": first and bool(similar[0].is_copy),
                "other called": bool(called - {query.wanted}),
            }
        )
    return counts


def line(name: str, counts: Counter) -> str:
    """Return a line of the table."""
    first = counts["first"] / counts["copies"]
    called = counts["called"] / max(1, counts["first"])
    return (
        f"{name:20} {first:7.3f} {called:17.3f} {counts['other called'] / counts['copies']:15.3f}"
    )


if __name__ == "__main__":
    sys.exit(main())
