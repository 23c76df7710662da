"""Releasing few pictures against releasing many: seconds a picture, and memory.

The pictures are small ones made from PHOTOS, to limit the running time. Each run is the command
itself in a separate process.
"""

import sys

from _common import (
    MEGABYTE,
    check_target,
    describe_setup,
    describe_sizes,
    make_parser,
    make_pictures,
    picture_paths,
    prepare_process,
    run_command,
    working_folder,
)


def main() -> int:
    """Measure and print the ratios."""
    parser = make_parser(__doc__)
    parser.add_argument("--few", type=int, default=200)
    parser.add_argument("--many", type=int, default=2000)
    options = parser.parse_args()
    prepare_process(options.threads)
    sources = picture_paths(options.photos, options.many)
    seconds, peaks = [], []
    with working_folder(options.work) as folder:
        for count in (options.few, options.many):
            photos, archive = folder / f"photos-{count}", folder / f"archive-{count}"
            paths = make_pictures(sources, photos, count=count, size=(160, 120))
            if count == options.few:
                describe_setup(pictures=describe_sizes(paths))
            run_command("homing", "init", archive)
            out = folder / f"out-{count}"
            took, peak, _ = run_command("homing", "release", archive, photos, "--out", out)
            seconds.append(took / count)
            peaks.append(peak)
            print(f"{count}: {1e3 * took / count:.1f} ms a picture, {peak / MEGABYTE:.0f} MB")
    met = check_target("seconds a picture, many over few", seconds[1] / seconds[0], at_most=1.05)
    met &= check_target("peak memory, many over few", peaks[1] / peaks[0], at_most=1.1)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
