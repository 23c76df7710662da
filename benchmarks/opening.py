"""Opening a large archive against opening an empty one: until it can be searched.

Each is opened in a fresh process, in turn.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from _common import (
    MEGABYTE,
    child,
    describe_setup,
    parser,
    prepare_process,
    require,
    resident,
    verdict,
    working_folder,
)

_SECONDS, _MEMORY = 3.0, 100.0


def main() -> int:
    """Run the benchmark, or with ``--open`` the part that is measured."""
    made = parser(__doc__, photos=False)
    made.add_argument("--entries", type=int, default=1_000_000)
    made.add_argument("--per-file", type=int, help="entries in a data file; default: all")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--open", type=Path, help="open this archive and tell what it took")
    options = made.parse_args()
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
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    told = {"seconds": seconds, "resident": resident(), "peak": 1024 * int(peak)}
    print(json.dumps(told | {"entries": len(archive)}))
    return 0


def _compare(folder: Path, options) -> int:
    prepare_process(options.threads)
    from _synthetic import FACTORY, make_archive

    import homing

    per_file = options.per_file or options.entries
    make_archive(folder / "archive", options.entries, per_file=per_file)
    if not (folder / "empty").exists():
        homing.create(folder / "empty", codebook=FACTORY)
    describe_setup(entries=f"{options.entries} made up, {FACTORY}, {per_file} a data file")
    large, empty = [], []
    for _ in range(options.rounds):
        large.append(child(__file__, "--open", folder / "archive"))
        empty.append(child(__file__, "--open", folder / "empty"))
    require(large[0]["entries"] == options.entries, "the large archive is not as large as asked")
    require(empty[0]["entries"] == 0, "the empty archive is not empty")
    for name in ("seconds", "resident", "peak"):
        scale = 1 if name == "seconds" else MEGABYTE
        for label, told in (("large", large), ("empty", empty)):
            values = sorted(one[name] / scale for one in told)
            middle = statistics.median(values)
            print(f"{label}, {name}: {middle:.2f} [{values[0]:.2f}, {values[-1]:.2f}]")
    seconds = statistics.median(one["seconds"] for one in large)
    above = statistics.median(
        (one["resident"] - other["resident"]) / MEGABYTE
        for one, other in zip(large, empty, strict=True)
    )
    met = verdict("seconds from importing homing to ready", seconds, at_most=_SECONDS)
    return 0 if verdict("MiB above an empty archive", above, at_most=_MEMORY) and met else 1


if __name__ == "__main__":
    sys.exit(main())
