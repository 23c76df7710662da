"""Adding a folder of photographs against the bare forward passes it needs.

Ours: `Archive.add` of all photographs into a new archive, decoding and commits included. Bare: the
descriptor's forward pass on prepared tensors, in batches of sixteen. Both are timed in turn.
"""

import shutil
import sys

from _common import (
    check_target,
    compare,
    describe_setup,
    describe_sizes,
    make_parser,
    picture_paths,
    prepare_process,
    require,
    working_folder,
)

BATCH = 16


def main() -> int:
    """Measure and print the ratio."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    prepare_process(options.threads)
    import torch

    import homing

    paths = picture_paths(options.photos, options.pictures)
    network = homing.load_descriptor()
    side = network.input_size
    describe_setup(pictures=describe_sizes(paths), batch=BATCH)
    ready = torch.rand(BATCH, 3, side, side).to(memory_format=torch.channels_last)
    with working_folder(options.work) as folder:
        count = iter(range(1_000_000))

        def ours() -> None:
            place = folder / f"round-{next(count)}"
            report = homing.create(place, descriptor=network).add(paths)
            require(report.count("added") == len(paths), f"not all were added: {report}")
            shutil.rmtree(place)

        def bare() -> None:
            with torch.inference_mode():
                for _ in range(len(paths) // BATCH):
                    network.forward(ready)

        found = compare(ours, bare, rounds=options.rounds)
        print(found.format_line(len(paths), "picture"))
        speed = 1 / found.ratio
        return 0 if check_target("speed of adding over bare forward", speed, at_least=0.8) else 1


if __name__ == "__main__":
    sys.exit(main())
