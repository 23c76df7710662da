"""What it costs that the disk has everything before it is reported: `release` and `add`.

Bare: the same commands where `os.fsync` does nothing, so that neither pictures, journals and packs
of previews nor the table are waited for (`--no-sync` leaves out the table alone). Both ways run in
turn, each into a new archive.
"""

import os
import shutil
import sys
from collections.abc import Callable

from _common import (
    check_target,
    compare,
    describe_setup,
    describe_sizes,
    make_parser,
    make_pictures,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

_MOST_RELEASE, _MOST_ADD = 1.1, 1.3


def main() -> int:
    """Measure and print both ratios."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=1000, help="that are added")
    parser.add_argument("--released", type=int, help="of these; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    prepare_process(options.threads)
    import homing

    with working_folder(options.work) as folder:
        some = picture_paths(options.photos, None)
        paths = make_pictures(some, folder / "photos", count=options.pictures, size=(320, 240))
        fewer = sorted((folder / "photos").iterdir())[: options.released]
        network = homing.load_descriptor()
        describe_setup(pictures=describe_sizes(paths), released=len(fewer))
        count = iter(range(1_000_000))

        def added() -> None:
            place = folder / f"round-{next(count)}"
            report = homing.create(place, descriptor=network).add(paths)
            require(report.count("added") == len(paths), f"not all were added: {report}")
            shutil.rmtree(place)

        def released() -> None:
            place = folder / f"round-{next(count)}"
            archive = homing.create(place / "archive", descriptor=network)
            report = archive.release(fewer, out=place / "out", method="paper")
            require(report.count("released") == len(fewer), f"not all were released: {report}")
            shutil.rmtree(place)

        add_ratio = _price("add", added, len(paths), options.rounds)
        release_ratio = _price("release", released, len(fewer), options.rounds)
    met = check_target("price of syncing, add", add_ratio, at_most=_MOST_ADD)
    met &= check_target("price of syncing, release", release_ratio, at_most=_MOST_RELEASE)
    return 0 if met else 1


def _price(name: str, run: Callable[[], None], pictures: int, rounds: int) -> float:
    sync = os.fsync

    def unsynced() -> None:
        os.fsync = lambda _: None
        try:
            run()
        finally:
            os.fsync = sync

    times = compare(run, unsynced, rounds=rounds)
    print(f"{name} of {pictures}, synced against not, seconds: {times.ours} against {times.bare}")
    print(f"{name}: ratio {times.ratio:.3f} ({min(times.ratios):.3f} to {max(times.ratios):.3f})")
    return times.ratio


if __name__ == "__main__":
    sys.exit(main())
