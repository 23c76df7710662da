"""Cost of activation at 0.3, 2 and 12 megapixels, without coding, beside the published loop.

Published (Fernandez et al. 2023, section 4.1): ten steps of Adam on a change at full resolution;
every step adds it to all pixels, scales the picture to the network and back-propagates through all
of this. Neither its map of just noticeable differences nor a PSNR constraint is timed. Ours: the
whole activation of the same pictures except reading and coding: maps, loop, applying the change,
PSNR and SSIM constraints, descriptors. Both run on one thread, ours in batches. Times are processor
times.
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from _common import (
    check_target,
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

_SIZES = {"0.3": (640, 480), "2": (1632, 1224), "12": (4000, 3000)}  # megapixels
_MOST_GROWTH = 2.0
_LEAST_SPEEDUP = {"2": 3.0, "12": 10.0}
_STEPS, _STRENGTH, _DISTORTION = 10, 3.0, 0.01
_CODING = {
    "homing.activation.prepared": ("read_squashed",),
    "homing.activation.finished": (
        "decode_jpeg",
        "decode_pixels",
        "encode",
        "read_coefficients",
        "read_for_description",
        "write_coefficients",
    ),
    "homing.activation.activator": ("read_picture",),
}


def main() -> int:
    """Measure and print."""
    parser = make_parser(__doc__)
    parser.add_argument("--pictures", type=int, default=4, help="of each size: one batch")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--method", default=Activation.method, help="of activation")
    parser.add_argument(
        "--codebook", default="homing-s-IVF1024-PQ8x8", help="a bundled one, or a file"
    )
    options = parser.parse_args()
    prepare_process(1)

    with working_folder(options.work) as folder:
        sources = picture_paths(options.photos, options.pictures)
        pictures = {
            name: make_pictures(sources, folder / name, count=options.pictures, size=size)
            for name, size in _SIZES.items()
        }
        describe_setup(
            method=options.method,
            **{f"of {n} megapixels": describe_sizes(p) for n, p in pictures.items()},
        )
        found = {name: _time_pictures(paths, options) for name, paths in pictures.items()}
    return 0 if _print_table(found) else 1


def _time_pictures(paths: Sequence[Path], options) -> tuple[float, float, float]:
    """Return median seconds a picture: ours without coding, coding, the published loop."""
    import homing
    from homing.activation import find_method
    from homing.activation.activator import Activated, Activator
    from homing.images import read_picture

    descriptor = homing.load_descriptor()
    codebook = homing.load_codebook(options.codebook)
    activator = Activator(descriptor, codebook, find_method(options.method))
    rounds = []
    for number in range(options.rounds + 1):
        with _time_coding() as coding:
            start = time.process_time()
            results = list(activator.run(paths))
            whole = time.process_time() - start
        require(all(isinstance(each, Activated) for each in results), "one was not activated")
        pixels = [read_picture(path).pixels for path in paths]
        published = sum(_time_published(each, descriptor, codebook) for each in pixels)
        if number:  # the first round warms up
            rounds.append((whole - sum(coding), sum(coding), published))
    return tuple((np.median(rounds, axis=0) / len(paths)).tolist())


@contextlib.contextmanager
def _time_coding() -> Iterator[list[float]]:
    """Time all functions that read or write file formats; yield the list of their seconds."""
    seconds: list[float] = []
    originals = []

    def timed(function):
        def run(*args, **kwargs):
            start = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                seconds.append(time.process_time() - start)

        return run

    for module, names in _CODING.items():
        for name in names:
            function = getattr(sys.modules[module], name)
            originals.append((sys.modules[module], name, function))
            setattr(sys.modules[module], name, timed(function))
    try:
        yield seconds
    finally:
        for module, name, function in originals:
            setattr(module, name, function)


def _time_published(pixels: np.ndarray, descriptor, codebook) -> float:
    """Return the seconds of the published loop on one picture."""
    import torch
    import torch.nn.functional as F

    from homing.activation.masking.perceptual import PUBLISHED

    original = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
    heat = torch.from_numpy(PUBLISHED.tolerance(pixels, peak=255).astype(np.float32))[None, None]
    heat = heat * torch.from_numpy(PUBLISHED.weights(alike=False))[:, None, None]
    side = [descriptor.input_size] * 2

    def describe(picture: torch.Tensor) -> torch.Tensor:
        small = F.interpolate(picture, side, mode="bilinear", antialias=True)
        return descriptor.forward(small)

    with torch.no_grad():
        target = torch.from_numpy(codebook.target(describe(original).numpy()))
    start = time.process_time()
    change = (1e-6 * torch.randn_like(original)).requires_grad_()
    optimiser = torch.optim.Adam([change], lr=1.0)
    for _ in range(_STEPS):
        changed = (original + _STRENGTH * heat * torch.tanh(change)).clamp(0, 1)
        similarity = F.cosine_similarity(describe(changed), target).mean()
        loss = _DISTORTION * (changed - original).square().mean() - similarity
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.process_time() - start


def _print_table(found: dict[str, tuple[float, float, float]]) -> bool:
    print("| megapixels | ours, without coding | coding | published loop | published over ours |")
    print("|---|---|---|---|---|")
    for name, (ours, coding, published) in found.items():
        print(f"| {name} | {ours:.3f} | {coding:.3f} | {published:.3f} | {published / ours:.1f} |")
    print("\nprocessor seconds a picture, medians")
    (small, *_), (large, *_) = found["0.3"], found["12"]
    met = check_target(
        "12 megapixels over 0.3, without coding", large / small, at_most=_MOST_GROWTH
    )
    for name, target in _LEAST_SPEEDUP.items():
        ours, _, published = found[name]
        title = f"the published loop over ours, {name} megapixels"
        met &= check_target(title, published / ours, at_least=target)
    return met


if __name__ == "__main__":
    sys.exit(main())
