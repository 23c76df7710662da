"""The most memory that the release of one 24-megapixel photograph takes, as JPEG and as PNG."""

import sys

import numpy as np
from _common import (
    MEGABYTE,
    describe_setup,
    parser,
    prepare_process,
    run_command,
    verdict,
    working_folder,
)
from PIL import Image


def main() -> int:
    """Measure and print the peaks."""
    options = parser(__doc__, photos=False).parse_args()
    prepare_process(options.threads)
    describe_setup(picture="6000 x 4000, smooth noise")
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((6000, 4000), Image.Resampling.BICUBIC)
    met = True
    with working_folder(options.work) as folder:
        for name in ("photo.jpg", "photo.png"):
            picture.save(folder / name, quality=92)
            archive = folder / f"archive-{name}"
            run_command("homing", "init", archive)
            seconds, peak, _ = run_command(
                "homing", "release", archive, folder / name, "--out", folder / f"out-{name}"
            )
            print(f"{name}: {seconds:.1f} s")
            met &= verdict(f"megabytes at most, {name}", peak / MEGABYTE, at_most=2048)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
