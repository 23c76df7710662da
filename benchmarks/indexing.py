"""Building the lance engine's index by two workers against one, by the command line.

Taken in turn, at two sizes of made-up entries: a small one gives the cost of the start, which is
subtracted from the other.
"""

import statistics
import sys
from pathlib import Path

from _common import describe_setup, parser, prepare_process, run_command, verdict, working_folder

_SMALL = 20_000
_ASKED = 1.7


def main() -> int:
    """Measure and print the ratios."""
    made = parser(__doc__, photos=False)
    made.add_argument("--entries", type=int, default=10_000_000)
    made.add_argument("--per-file", type=int, default=500_000)
    made.add_argument("--rounds", type=int, default=3)
    options = made.parse_args()
    prepare_process(options.threads)
    from _synthetic import make_archive

    describe_setup(entries=options.entries, entries_a_file=options.per_file)
    with working_folder(options.work) as folder:
        small = make_archive(folder / "small", _SMALL, per_file=_SMALL // 20)
        large = make_archive(folder / "archive", options.entries, per_file=options.per_file)
        start, whole = (_seconds(archive.path, options.rounds) for archive in (small, large))
    for workers in (1, 2):
        print(f"{workers} workers: {whole[workers]:.2f} s, of which start {start[workers]:.2f} s")
    print(f"two workers, start included: {whole[1] / whole[2]:.2f} times as fast")
    apart = (whole[1] - start[1]) / (whole[2] - start[2])
    return 0 if verdict("without the start, times as fast", apart, at_least=_ASKED) else 1


def _seconds(path: str | Path, rounds: int) -> dict[int, float]:
    """Median seconds of ``homing index`` by `workers` processes, each time without an index."""
    took: dict[int, list[float]] = {1: [], 2: []}
    for number in range(rounds):
        for workers in (1, 2) if number % 2 == 0 else (2, 1):
            _drop(path)
            seconds, _, _ = run_command("homing", "index", path, "--workers", workers)
            took[workers].append(seconds)
    return {workers: statistics.median(each) for workers, each in took.items()}


def _drop(path: str | Path) -> None:
    import lance

    record = lance.dataset(str(Path(path) / "entries.lance"))
    for name in {index["name"] for index in record.list_indices()}:
        record.drop_index(name)


if __name__ == "__main__":
    sys.exit(main())
