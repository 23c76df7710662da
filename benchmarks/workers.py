"""Adding and releasing by several processes of one machine against one process.

Both are timed in turn at two sizes: the smaller one gives the start-up cost of the processes, and
the difference the cost of a picture once they run. One process already uses all processors, by
threads. It is a precondition that several processes write the same rows and files byte for byte.
"""

import shutil
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _common import (
    Comparison,
    compare,
    describe_setup,
    describe_sizes,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

_SMALL = 4  # factor by which the smaller size has fewer pictures

Run = Callable[[list[Path], Path, int], object]


def main() -> int:
    """Measure and print the ratios."""
    parser = make_parser(__doc__)
    parser.add_argument("--add", type=int, default=600, help="pictures; 0: none")
    parser.add_argument("--release", type=int, default=48, help="pictures; 0: none")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    prepare_process(options.threads)
    import homing

    paths = picture_paths(options.photos, max(options.add, options.release))
    network = homing.load_descriptor()
    describe_setup(pictures=describe_sizes(paths), workers=options.workers)
    with working_folder(options.work) as folder:

        def add(some: list[Path], place: Path, workers: int) -> object:
            archive = homing.create(place / "archive", descriptor=network)
            report = archive.add(some, workers=workers)
            require(report.count("added") == len(some), f"not all were added: {report}")
            return _rows(archive)

        def release(some: list[Path], place: Path, workers: int) -> object:
            archive = homing.create(place / "archive", descriptor=network)
            report = archive.release(some, out=place / "out", workers=workers)
            require(report.count("released") == len(some), f"not all were released: {report}")
            files = {each.name: each.read_bytes() for each in (place / "out").iterdir()}
            return _rows(archive), files

        for name, run, count in (("add", add, options.add), ("release", release, options.release)):
            if count:
                _measure(name, run, paths[:count], folder, options.workers, options.rounds)
    return 0


def _rows(archive: Any) -> list[tuple[str, bytes, int, bytes]]:
    rows = archive._table.rows(with_vectors=True)
    return [(row.id, row.vector.tobytes(), row.cell, row.code) for row in rows]


def _measure(
    name: str, run: Run, paths: list[Path], folder: Path, workers: int, rounds: int
) -> None:
    def run_once(some: list[Path], by: int) -> object:
        place = folder / "round"
        result = run(some, place, by)
        shutil.rmtree(place)
        return result

    require(
        run_once(paths, workers) == run_once(paths, 1),
        f"{name}: several processes give another result than one",
    )
    found = []
    for some in (paths[: len(paths) // _SMALL], paths):
        took = compare(
            lambda some=some: run_once(some, workers),
            lambda some=some: run_once(some, 1),
            rounds=rounds,
            warm_up=0,
        )
        found.append((len(some), took))
        print(f"{name}, {len(some)} pictures: {_format_times(took, workers)}", flush=True)
    (few, small), (many, large) = found
    each = [
        1e3 * (statistics.median(b) - statistics.median(a)) / (many - few)
        for a, b in ((small.ours, large.ours), (small.bare, large.bare))
    ]
    print(
        f"{name}, a picture once they run: {workers} workers {each[0]:.1f} ms, one process "
        f"{each[1]:.1f} ms; {each[1] / each[0]:.2f} times as fast",
        flush=True,
    )


def _format_times(took: Comparison, workers: int) -> str:
    several, alone = statistics.median(took.ours), statistics.median(took.bare)
    faster = sorted(1 / ratio for ratio in took.ratios)
    return (
        f"{workers} workers {several:.2f} s, one process {alone:.2f} s; "
        f"{statistics.median(faster):.2f} times as fast [{faster[0]:.2f}, {faster[-1]:.2f}] over "
        f"{len(faster)} rounds"
    )


if __name__ == "__main__":
    sys.exit(main())
