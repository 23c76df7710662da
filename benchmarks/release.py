"""The whole release of pictures against the bare forward and backward passes it needs.

Ours: decode, perceptual map, the steps, laying on, coding within the budget, checking the file,
files and record, by Archive.release into a new archive. Bare: as many forward and backward passes
of the descriptor as the method takes (as published ten), on ready-made tensors, eight pictures at a
time, as torch runs them by itself: every pass over all threads. Ours runs several networks of one
thread beside each other, which is faster; what that alone gains is told by a third way, the same
passes run as ours. Taken in turn.
"""

import shutil
import sys
from concurrent.futures import Future

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

from homing.options import Activation

_BARE_BATCH = 8


def main() -> int:
    """Measure and print the ratio."""
    made = parser(__doc__)
    made.add_argument("--pictures", type=int, default=96)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--method", default=Activation.method, help="of activation")
    options = made.parse_args()
    prepare_process(options.threads)
    import torch

    import homing
    from homing.activation import find_method
    from homing.activation.activator import BATCH
    from homing.descriptors.workers import network_pool

    with working_folder(options.work) as folder:
        paths = make_pictures(
            picture_paths(options.photos, options.pictures),
            folder / "photos",
            count=options.pictures,
            size=(640, 480),
        )
        network = homing.load_descriptor()
        settings = find_method(options.method).settings
        wanted = settings.steps * settings.edits.looks
        describe_setup(pictures=sizes(paths), batch=BATCH, method=options.method, passes=wanted)
        side = network.input_size
        ready = torch.rand(_BARE_BATCH, 3, side, side).to(memory_format=torch.channels_last)
        count = iter(range(1_000_000))

        def ours() -> None:
            place = folder / f"round-{next(count)}"
            archive = homing.create(place / "archive", descriptor=network)
            report = archive.release(folder / "photos", out=place / "out", method=options.method)
            require(report.count("released") == len(paths), f"not all were released: {report}")
            shutil.rmtree(place)

        def passes(pictures: torch.Tensor, number: int) -> None:
            own = pictures.clone().requires_grad_()
            for _ in range(number):
                torch.autograd.grad(network.forward(own).sum(), own)

        def bare() -> None:
            passes(ready, wanted * len(paths) // _BARE_BATCH)

        def beside() -> None:
            with network_pool() as (pool, _):
                batches = range(len(paths) // BATCH)
                running: list[Future[None]] = [
                    pool.submit(passes, ready[:BATCH], wanted) for _ in batches
                ]
                for each in running:
                    each.result()

        found = compare(ours, bare, rounds=options.rounds)
        print(found.line(len(paths), "picture"))
        same = compare(ours, beside, rounds=1, warm_up=0)
        print(f"over the same passes run as ours, one round: ratio {same.ratio:.3f}")
        return 0 if verdict("release over bare passes", found.ratio, at_most=1.6) else 1


if __name__ == "__main__":
    sys.exit(main())
