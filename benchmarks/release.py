"""A whole release of pictures against the bare forward and backward passes it needs.

Ours: `Archive.release` into a new archive, from decoding to the checked files and their rows. Bare:
as many forward and backward passes of the descriptor as the method takes (published: ten), on
prepared tensors, eight pictures at a time, each pass by all threads as torch does by default, in
torch's own operations (`efficientnet_lite0`). Ours runs several single-threaded networks in
parallel, of fixed weights (`frozen_lite0`), which is faster; two more measurements, the bare passes
run in parallel and those of that network run so, show the gain of that alone. The ways are timed in
turn; in processor time by --processor, which counts on a busy machine.
"""

import shutil
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any

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
_TOGETHER = 16  # passes that a thread runs one after the other


def main() -> int:
    """Measure and print the ratio."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--method", default=Activation.method, help="of activation")
    parser.add_argument("--processor", action="store_true", help="processor time, not the clock's")
    options = parser.parse_args()
    clock = time.process_time if options.processor else time.perf_counter
    prepare_process(options.threads)
    import torch

    import homing
    from homing.activation import find_method
    from homing.activation.activator import BATCH
    from homing.descriptors.efficientnet import efficientnet_lite0
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

        weights, power = network.network.weights, network.network.power
        plain = replace(network, network=lambda inputs: efficientnet_lite0(weights, inputs, power))

        def run_passes(described: Any, pictures: torch.Tensor, number: int) -> None:
            inputs = pictures.clone().requires_grad_()
            for _ in range(number):
                torch.autograd.grad(described.forward(inputs).sum(), inputs)

        def bare() -> None:
            run_passes(plain, ready, passes * len(paths) // _BARE_BATCH)

        def in_parallel(described: Any) -> None:
            with network_pool() as (pool, _):
                count = passes * len(paths) // _BARE_BATCH // _TOGETHER
                running: list[Future[None]] = [
                    pool.submit(run_passes, described, ready, _TOGETHER) for _ in range(count)
                ]
                for each in running:
                    each.result()

        found = compare(ours, bare, rounds=options.rounds, clock=clock)
        print(found.format_line(len(paths), "picture"))
        for name, described in (("the same passes", plain), ("those of fixed weights", network)):
            same = compare(ours, partial(in_parallel, described), rounds=1, warm_up=0, clock=clock)
            print(f"over {name}, run as ours, one round: ratio {same.ratio:.3f}")
        most = 1.6 if options.method == "paper" else 1.25
        return 0 if check_target("release over bare passes", found.ratio, at_most=most) else 1


if __name__ == "__main__":
    sys.exit(main())
