"""Adding a folder of photographs against the bare forward passes it needs.

Ours: `Archive.add` of all photographs into a new archive, decoding and commits included, without
previews. Bare: the descriptor's forward pass on prepared tensors, in batches of sixteen. Both are
timed in turn. Then adding with previews against adding without, and the bytes of a preview.
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
    from homing.options import PREVIEW_SIDE

    paths = picture_paths(options.photos, options.pictures)
    network = homing.load_descriptor()
    side = network.input_size
    describe_setup(pictures=describe_sizes(paths), batch=BATCH)
    ready = torch.rand(BATCH, 3, side, side).to(memory_format=torch.channels_last)
    with working_folder(options.work) as folder:
        count = iter(range(1_000_000))

        def ours(previews: int = 0) -> None:
            place = folder / f"round-{next(count)}"
            archive = homing.create(place, descriptor=network, previews=previews)
            report = archive.add(paths)
            require(report.count("added") == len(paths), f"not all were added: {report}")
            if previews:
                stats = archive.stats()
                sizes.append(stats["bytes_of_previews"] / stats["previews"])
            shutil.rmtree(place)

        def bare() -> None:
            with torch.inference_mode():
                for _ in range(len(paths) // BATCH):
                    network.forward(ready)

        found = compare(ours, bare, rounds=options.rounds)
        print(found.format_line(len(paths), "picture"))
        speed = 1 / found.ratio
        met = check_target("speed of adding over bare forward", speed, at_least=0.8)
        sizes: list[float] = []
        found = compare(lambda: ours(PREVIEW_SIDE), ours, rounds=options.rounds)
        print(f"with previews over without: {found.format_line(len(paths), 'picture')}")
        met &= check_target("bytes a preview", sizes[0], at_most=16_000)
        return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
