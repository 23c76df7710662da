"""Searching a folder of pictures among a million made-up entries, against describing them alone.

Both read and describe the pictures in the same batches on all processors. What homing adds is the
search itself, its verdicts, and writing out the hits. No picture matches anything: in a calibrated
archive, with automatic probes, that is the longest search there is.
"""

import sys

from _common import (
    compare,
    describe_setup,
    parser,
    picture_paths,
    prepare_process,
    require,
    verdict,
    working_folder,
)

_ASKED = 1.25
WAYS = {"1 probe": {"probes": 1}, "automatic": {}, "codes only": {"probes": 1, "rerank": 0}}


def main() -> int:
    """Run the benchmark."""
    made = parser(__doc__)
    made.add_argument("--entries", type=int, default=1_000_000)
    made.add_argument("--pictures", type=int, default=1000)
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--ways", nargs="+", choices=[*WAYS], default=[*WAYS])
    options = made.parse_args()
    prepare_process(options.threads)
    from _synthetic import FACTORY, make_archive

    from homing.archive.query.queries import describe_queries
    from homing.options import SearchOptions

    paths = picture_paths(options.photos, options.pictures)
    with working_folder(options.work) as folder:
        archive = make_archive(folder / "archive", options.entries, per_file=options.entries)
        if not (archive.path / "calibration.json").exists():
            archive.calibrate()
        describe_setup(entries=f"{options.entries} made up, {FACTORY}", queries=len(paths))
        archive.warm()

        def bare() -> None:
            list(describe_queries(archive.descriptor, paths, SearchOptions()))

        met = True
        for name in options.ways:

            def ours(name=name) -> None:
                results = list(archive.search_each(paths, **WAYS[name]))
                require(all(len(each.hits) == 10 for each in results), "hits are missing")

            result = compare(ours, bare, rounds=options.rounds)
            print(f"{name}: {result.line(len(paths), 'query')}")
            met &= verdict(name, result.ratio, at_most=_ASKED)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
