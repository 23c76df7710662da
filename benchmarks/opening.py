"""Opening a large archive, until it can be searched, against opening an empty one.

Each is opened in a fresh process, in turn.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from _common import (
    MEGABYTE,
    check_target,
    describe_setup,
    make_parser,
    prepare_process,
    process_memory,
    require,
    resident_bytes,
    run_child,
    working_folder,
)

_MOST_SECONDS, _MOST_MEBIBYTES = 3.0, 100.0


def main() -> int:
    """Run the benchmark, or with ``--open`` the measured part."""
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--per-file", type=int, help="entries in a data file; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--open", type=Path, help="open this archive, print time and memory as JSON, and exit"
    )
    options = parser.parse_args()
    if options.open is not None:
        return _open(options.open)
    with working_folder(options.work) as folder:
        return _compare(folder, options)


def _open(path: Path) -> int:
    start = time.perf_counter()
    import homing

    archive = homing.open(path)
    archive.warm()
    seconds = time.perf_counter() - start
    memory = {"resident": resident_bytes(), "peak": process_memory()["peak"]}
    print(json.dumps({"seconds": seconds, **memory, "entries": len(archive)}))
    return 0


def _compare(folder: Path, options) -> int:
    prepare_process(options.threads)
    from _synthetic import FACTORY, make_archive

    import homing

    per_file = options.per_file or options.entries
    make_archive(folder / "archive", options.entries, per_file=per_file)
    if not (folder / "empty").exists():
        homing.create(folder / "empty", codebook=FACTORY)
    describe_setup(entries=f"{options.entries} synthetic, {FACTORY}, {per_file} a data file")
    large, empty = [], []
    for _ in range(options.rounds):
        large.append(run_child(__file__, "--open", folder / "archive"))
        empty.append(run_child(__file__, "--open", folder / "empty"))
    require(
        large[0]["entries"] == options.entries, "the large archive has another size than requested"
    )
    require(empty[0]["entries"] == 0, "the empty archive is not empty")
    for name in ("seconds", "resident", "peak"):
        scale = 1 if name == "seconds" else MEGABYTE
        for label, runs in (("large", large), ("empty", empty)):
            values = sorted(run[name] / scale for run in runs)
            middle = statistics.median(values)
            print(f"{label}, {name}: {middle:.2f} [{values[0]:.2f}, {values[-1]:.2f}]")
    seconds = statistics.median(run["seconds"] for run in large)
    above = statistics.median(
        (one["resident"] - other["resident"]) / MEGABYTE
        for one, other in zip(large, empty, strict=True)
    )
    met = check_target("seconds from importing homing to ready", seconds, at_most=_MOST_SECONDS)
    return (
        0
        if check_target("MiB above an empty archive", above, at_most=_MOST_MEBIBYTES) and met
        else 1
    )


if __name__ == "__main__":
    sys.exit(main())
