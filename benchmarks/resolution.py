"""Cost of activation at 0.3, 2 and 12 megapixels, without coding, beside the published loop.

Published (Fernandez et al. 2023, section 4.1): ten steps of Adam on a change of the picture's own
size; every step lays it on all pixels, scales the picture to the network and goes back through all
that. Its map of just noticeable differences is not timed, nor is keeping a budget. Ours: all of a
release of the same pictures but reading and coding them: maps, loop, laying on, budget, likeness,
descriptors. Both on one thread, ours a batch at a time, as it takes pictures together; seconds are
of the processor, whatever else it does.
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from _common import (
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

_SIZES = {"0.3": (640, 480), "2": (1632, 1224), "12": (4000, 3000)}  # megapixels
_ASKED_GROWTH = 2.0
_ASKED_AHEAD = {"2": 3.0, "12": 10.0}
_STEPS, _STRENGTH, _DISTORTION = 10, 3.0, 0.01
_CODING = {
    "homing.activation.picture_steps": ("encode", "decode_pixels", "read_squashed"),
    "homing.activation.activator": ("read_picture",),
}


def main() -> int:
    """Measure and print."""
    made = parser(__doc__)
    made.add_argument("--pictures", type=int, default=4, help="of each size: one batch")
    made.add_argument("--rounds", type=int, default=2)
    made.add_argument("--method", default=Activation.method, help="of activation")
    made.add_argument(
        "--codebook", default="homing-s-IVF1024-PQ8x8", help="a bundled one, or a file"
    )
    options = made.parse_args()
    prepare_process(1)

    with working_folder(options.work) as folder:
        sources = picture_paths(options.photos, options.pictures)
        pictures = {
            name: make_pictures(sources, folder / name, count=options.pictures, size=size)
            for name, size in _SIZES.items()
        }
        describe_setup(
            method=options.method, **{f"of {n} megapixels": sizes(p) for n, p in pictures.items()}
        )
        found = {name: _timed(paths, options) for name, paths in pictures.items()}
    return 0 if _told(found) else 1


def _timed(paths: Sequence[Path], options) -> tuple[float, float, float]:
    """Seconds a picture, medians: ours without coding, coding, the published loop."""
    import homing
    from homing.activation import find_method
    from homing.activation.activator import Activated, Activator
    from homing.images import read_picture

    descriptor = homing.load_descriptor()
    codebook = homing.load_codebook(options.codebook)
    activator = Activator(descriptor, codebook, find_method(options.method))
    rounds = []
    for number in range(options.rounds + 1):
        with _coding_timed() as coding:
            start = time.process_time()
            results = list(activator.run(paths))
            whole = time.process_time() - start
        require(all(isinstance(each, Activated) for each in results), "one was not activated")
        pixels = [read_picture(path).pixels for path in paths]
        published = sum(_published(each, descriptor, codebook) for each in pixels)
        if number:  # the first warms up
            rounds.append((whole - sum(coding), sum(coding), published))
    return tuple((np.median(rounds, axis=0) / len(paths)).tolist())


@contextlib.contextmanager
def _coding_timed() -> Iterator[list[float]]:
    """Note the seconds of everything that reads or writes files' formats."""
    seconds: list[float] = []
    kept = []

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
            kept.append((sys.modules[module], name, function))
            setattr(sys.modules[module], name, timed(function))
    try:
        yield seconds
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def _published(pixels: np.ndarray, descriptor, codebook) -> float:
    """Seconds of the published loop on one picture."""
    import torch
    import torch.nn.functional as F

    from homing.activation.masking.perceptual import PUBLISHED

    original = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
    heat = torch.from_numpy(PUBLISHED.tolerance(pixels, peak=255).astype(np.float32))[None, None]
    heat = heat * torch.from_numpy(PUBLISHED.weights(grey=False))[:, None, None]
    side = [descriptor.input_size] * 2

    def seen(picture: torch.Tensor) -> torch.Tensor:
        small = F.interpolate(picture, side, mode="bilinear", antialias=True)
        return descriptor.forward(small)

    with torch.no_grad():
        target = torch.from_numpy(codebook.target(seen(original).numpy()))
    start = time.process_time()
    change = (1e-6 * torch.randn_like(original)).requires_grad_()
    optimiser = torch.optim.Adam([change], lr=1.0)
    for _ in range(_STEPS):
        laid = (original + _STRENGTH * heat * torch.tanh(change)).clamp(0, 1)
        nearness = F.cosine_similarity(seen(laid), target).mean()
        loss = _DISTORTION * (laid - original).square().mean() - nearness
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.process_time() - start


def _told(found: dict[str, tuple[float, float, float]]) -> bool:
    print("| megapixels | ours, coding apart | coding | published loop | published over ours |")
    print("|---|---|---|---|---|")
    for name, (ours, coding, published) in found.items():
        print(f"| {name} | {ours:.3f} | {coding:.3f} | {published:.3f} | {published / ours:.1f} |")
    print("\nprocessor's seconds a picture, medians")
    (least, *_), (most, *_) = found["0.3"], found["12"]
    met = verdict("12 megapixels over 0.3, coding apart", most / least, at_most=_ASKED_GROWTH)
    for name, asked in _ASKED_AHEAD.items():
        ours, _, published = found[name]
        title = f"the published loop over ours, {name} megapixels"
        met &= verdict(title, published / ours, at_least=asked)
    return met


if __name__ == "__main__":
    sys.exit(main())
