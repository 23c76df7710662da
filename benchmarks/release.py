"""The whole release of pictures against the bare forward and backward passes it needs.

Ours: decode, perceptual map, ten steps, laying on, coding within the budget, checking the file,
files and record, by Archive.release into a new archive. Bare: ten forward and backward passes of
the descriptor on ready-made tensors, in batches of the same size. Taken in turn.
"""

import shutil
import sys

from _common import (
    compare,
    describe_setup,
    make_pictures,
    parser,
    picture_paths,
    prepare_process,
    require,
    sizes,
    verdict,
    working_folder,
)


def main() -> int:
    """Measure and print the ratio."""
    made = parser(__doc__)
    made.add_argument("--pictures", type=int, default=96)
    made.add_argument("--rounds", type=int, default=5)
    options = made.parse_args()
    prepare_process(options.threads)
    import torch

    import homing
    from homing.activation.pipeline import BATCH

    with working_folder(options.work) as folder:
        paths = make_pictures(
            picture_paths(options.photos, options.pictures),
            folder / "photos",
            count=options.pictures,
            size=(640, 480),
        )
        network = homing.load_descriptor()
        describe_setup(pictures=sizes(paths), batch=BATCH)
        side = network.input_size
        ready = torch.rand(BATCH, 3, side, side).to(memory_format=torch.channels_last)
        ready.requires_grad_()
        count = iter(range(1_000_000))

        def ours() -> None:
            place = folder / f"round-{next(count)}"
            archive = homing.create(place / "archive", descriptor=network)
            report = archive.release(folder / "photos", out=place / "out")
            require(report.count("released") == len(paths), f"not all were released: {report}")
            shutil.rmtree(place)

        def bare() -> None:
            for _ in range(10 * len(paths) // BATCH):
                torch.autograd.grad(network.forward(ready).sum(), ready)

        found = compare(ours, bare, rounds=options.rounds)
        print(found.line(len(paths), "picture"))
        return 0 if verdict("release over bare passes", found.ratio, at_most=1.6) else 1


if __name__ == "__main__":
    sys.exit(main())
