"""What a similarity means, without an archive: `python benchmarks/similarity.py PHOTOS`.

Prints how often strange photographs (PHOTOS) are as similar to the nearest of others (BACKGROUND),
as observed and by a fitted tail for banks of other sizes, and the share of copies of PHOTOS, as
they circulate, that are as similar to their originals.
"""

import sys
from pathlib import Path

import numpy as np
from _common import describe_setup, make_parser, picture_paths, prepare_process
from _copies import COPIES
from PIL import Image

DISTANCES = (0.06, 0.08, 0.10, 0.12, 0.14, 0.16, 0.18, 0.20)
BANKS = (14_000, 100_000, 1_000_000)
KINDS = (
    "shared", "thumbnail", "crop 4:5", "caption", "mirrored", "grey", "phone", "filter",
    "watermark", "tilted", "photographed",
)  # fmt: skip
_AT_ONCE = 64


def main() -> int:
    """Print the two tables."""
    made = make_parser(__doc__ or "")
    made.add_argument("--background", type=Path, required=True, help="other photographs")
    made.add_argument("--descriptor", default="homing-s")
    made.add_argument("--copied", type=int, default=100, help="photographs that are copied")
    options = made.parse_args()
    prepare_process(options.threads)
    describe_setup(descriptor=options.descriptor)
    import homing
    from homing.search.false_alarms import fit_tail

    descriptor = homing.load_descriptor(options.descriptor)
    photos = picture_paths(options.photos, None)
    vectors = describe(descriptor, photos)
    others = describe(descriptor, picture_paths([options.background], None))
    highest = (vectors @ others.T).max(axis=1)
    tail = fit_tail(highest, entries=len(others))
    print(f"tail above {tail.threshold:.4f}: share {tail.share}, exponent {tail.exponent:.3f}")
    for distance in DISTANCES:
        rates = [f"{tail.rate(1 - distance, entries=n)[0]:.1e}" for n in BANKS]
        reached = int((highest >= 1 - distance).sum())
        print(f"{distance:.2f}  {reached:5} of {len(highest)}  ", "  ".join(rates))
    chosen = range(0, len(photos), max(1, len(photos) // options.copied))
    found = {kind: [] for kind in KINDS}
    for number in chosen:
        photo = Image.open(photos[number]).convert("RGB")
        draw = np.random.default_rng
        images = [COPIES[kind](photo, photo, draw([1, number])) for kind in KINDS]
        for kind, near in zip(KINDS, descriptor.describe(images) @ vectors[number], strict=True):
            found[kind].append(near)
    for kind, near in (*found.items(), ("mean", np.concatenate(list(found.values())))):
        shares = [f"{np.mean(np.asarray(near) >= 1 - d):.2f}" for d in DISTANCES]
        print(f"{kind:14}", "  ".join(shares))
    return 0


def describe(descriptor, paths: list[Path]) -> np.ndarray:
    """Describe pictures, some at a time."""
    chunks = [paths[start : start + _AT_ONCE] for start in range(0, len(paths), _AT_ONCE)]
    return np.concatenate([descriptor.describe(chunk) for chunk in chunks])


if __name__ == "__main__":
    sys.exit(main())
