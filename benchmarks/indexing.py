"""Building the lance engine's index with two workers against one, by the command line.

Both are timed in turn on synthetic archives of two sizes. The small one measures the start-up cost,
which is subtracted from the time of the large one.
"""

import statistics
import sys
from pathlib import Path

from _common import (
    check_target,
    describe_setup,
    make_parser,
    prepare_process,
    run_command,
    working_folder,
)

_SMALL = 20_000
_TARGET = 1.7


def main() -> int:
    """Measure and print the ratios."""
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--per-file", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    prepare_process(options.threads)
    from _synthetic import make_archive

    describe_setup(entries=options.entries, entries_a_file=options.per_file)
    with working_folder(options.work) as folder:
        small = make_archive(folder / "small", _SMALL, per_file=_SMALL // 20)
        large = make_archive(folder / "archive", options.entries, per_file=options.per_file)
        start, whole = (_time_indexing(archive.path, options.rounds) for archive in (small, large))
    for workers in (1, 2):
        print(f"{workers} workers: {whole[workers]:.2f} s, of which start {start[workers]:.2f} s")
    print(f"two workers, start included: {whole[1] / whole[2]:.2f} times as fast")
    ratio = (whole[1] - start[1]) / (whole[2] - start[2])
    return 0 if check_target("without the start, times as fast", ratio, at_least=_TARGET) else 1


def _time_indexing(path: str | Path, rounds: int) -> dict[int, float]:
    """Return the median seconds of ``homing index`` by number of workers, from no index."""
    took: dict[int, list[float]] = {1: [], 2: []}
    for number in range(rounds):
        for workers in (1, 2) if number % 2 == 0 else (2, 1):
            _drop_index(path)
            seconds, _, _ = run_command("homing", "index", path, "--workers", workers)
            took[workers].append(seconds)
    return {workers: statistics.median(each) for workers, each in took.items()}


def _drop_index(path: str | Path) -> None:
    import lance

    record = lance.dataset(str(Path(path) / "entries.lance"))
    for name in {index["name"] for index in record.list_indices()}:
        record.drop_index(name)


if __name__ == "__main__":
    sys.exit(main())
