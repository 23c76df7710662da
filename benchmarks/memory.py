"""Peak memory of releasing: one JPEG, one PNG and six JPEGs of 24 megapixels, a JPEG of 108."""

import sys

import numpy as np
from _common import (
    MEGABYTE,
    check_target,
    describe_setup,
    make_parser,
    prepare_process,
    run_command,
    working_folder,
)
from PIL import Image

from homing.options import Activation


def main() -> int:
    """Measure and print the peaks."""
    parser = make_parser(__doc__, photos=False)
    parser.add_argument("--pictures", type=int, default=6, help="JPEGs released together")
    parser.add_argument("--method", default=Activation.method, help="of activation")
    options = parser.parse_args()
    prepare_process(options.threads)
    describe_setup(pictures="smooth noise", method=options.method)
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3)).astype(np.uint8)
    met = True
    with working_folder(options.work) as folder:
        for kind, count, size in (
            ("jpg", 1, (6000, 4000)),
            ("png", 1, (6000, 4000)),
            ("jpg", options.pictures, (6000, 4000)),
            ("jpg", 1, (12000, 9000)),
        ):
            picture = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
            name = f"{count} {kind} of {size[0]} x {size[1]}"
            photos = folder / name
            if photos.exists():  # --pictures 1
                continue
            photos.mkdir()
            for number in range(count):
                turned = picture.rotate(180 * (number % 2))
                turned.save(photos / f"{number}.{kind}", quality=92 - number // 2)
            archive = folder / f"archive-{name}"
            run_command("homing", "init", archive)
            out = folder / f"out-{name}"
            arguments = archive, photos, "--out", out, "--method", options.method
            seconds, peak, _ = run_command("homing", "release", *arguments)
            print(f"{name}: {seconds:.1f} s")
            met &= check_target(f"megabytes at most, {name}", peak / MEGABYTE, at_most=2048)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
