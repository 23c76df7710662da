"""Searching a folder of pictures among a million synthetic entries, against describing them alone.

Both read and describe the pictures in the same batches on all processors. homing adds the search
itself, its verdicts, and the construction of the hits. No picture matches an entry: in a calibrated
archive with automatic probes this is the longest search.
"""

import sys

from _common import (
    check_target,
    compare,
    describe_setup,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

_TARGET = 1.25
SEARCHES = {"1 probe": {"probes": 1}, "automatic": {}, "codes only": {"probes": 1, "rerank": 0}}


def main() -> int:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=[*SEARCHES], default=[*SEARCHES])
    options = parser.parse_args()
    prepare_process(options.threads)
    from _synthetic import FACTORY, make_archive

    from homing.archive.query.queries import describe_queries
    from homing.options import SearchOptions

    paths = picture_paths(options.photos, options.pictures)
    with working_folder(options.work) as folder:
        archive = make_archive(folder / "archive", options.entries, per_file=options.entries)
        if not (archive.path / "calibration.json").exists():
            archive.calibrate()
        describe_setup(entries=f"{options.entries} synthetic, {FACTORY}", queries=len(paths))
        archive.warm()

        def bare() -> None:
            list(describe_queries(archive.descriptor, paths, SearchOptions()))

        met = True
        for name in options.ways:

            def ours(name=name) -> None:
                results = list(archive.search_each(paths, **SEARCHES[name]))
                require(all(len(each.hits) == 10 for each in results), "hits are missing")

            result = compare(ours, bare, rounds=options.rounds)
            print(f"{name}: {result.format_line(len(paths), 'query')}")
            met &= check_target(name, result.ratio, at_most=_TARGET)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
