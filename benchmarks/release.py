"""A whole release of pictures against the bare forward and backward passes it needs.

Ours: `Archive.release` into a new archive, from decoding to the checked files and their rows. Bare:
as many forward and backward passes of the descriptor as the method takes (published: ten), on
prepared tensors, eight pictures at a time, each pass by all threads as torch does by default. Ours
runs several single-threaded networks in parallel, which is faster; a third measurement, the bare
passes run in the same way, shows the gain of that alone. The ways are timed in turn.
"""

import shutil
import sys
from concurrent.futures import Future

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

from homing.options import Activation

_BARE_BATCH = 8


def main() -> int:
    """Measure and print the ratio."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--method", default=Activation.method, help="of activation")
    options = parser.parse_args()
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
        passes = settings.steps * settings.edits.passes
        describe_setup(
            pictures=describe_sizes(paths), batch=BATCH, method=options.method, passes=passes
        )
        side = network.input_size
        ready = torch.rand(_BARE_BATCH, 3, side, side).to(memory_format=torch.channels_last)
        count = iter(range(1_000_000))

        def ours() -> None:
            place = folder / f"round-{next(count)}"
            archive = homing.create(place / "archive", descriptor=network)
            report = archive.release(folder / "photos", out=place / "out", method=options.method)
            require(report.count("released") == len(paths), f"not all were released: {report}")
            shutil.rmtree(place)

        def run_passes(pictures: torch.Tensor, number: int) -> None:
            inputs = pictures.clone().requires_grad_()
            for _ in range(number):
                torch.autograd.grad(network.forward(inputs).sum(), inputs)

        def bare() -> None:
            run_passes(ready, passes * len(paths) // _BARE_BATCH)

        def in_parallel() -> None:
            with network_pool() as (pool, _):
                batches = range(len(paths) // BATCH)
                running: list[Future[None]] = [
                    pool.submit(run_passes, ready[:BATCH], passes) for _ in batches
                ]
                for each in running:
                    each.result()

        found = compare(ours, bare, rounds=options.rounds)
        print(found.format_line(len(paths), "picture"))
        same = compare(ours, in_parallel, rounds=1, warm_up=0)
        print(f"over the same passes run as ours, one round: ratio {same.ratio:.3f}")
        return 0 if check_target("release over bare passes", found.ratio, at_most=1.6) else 1


if __name__ == "__main__":
    sys.exit(main())
