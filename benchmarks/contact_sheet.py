"""Released pictures beside their originals: the least visible, the median, and the worst.

PHOTOS are activated in memory; or, with --released, PHOTOS is the folder of the sources of files
that were released before. Pictures are ranked by SSIMULACRA2, as shown at most 1,600 pixels wide or
high. Each is shown as original, released, and ten times the change: whole, if it is larger than
--side; at 1:1, where the mean colour difference is the largest; and the part of that where it is
the largest, at 2x, enlarged by bicubic interpolation. --flip writes the parts at 1:1 and 2x as an
animation that flips between original and released every half second.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from _common import (
    check_target,
    describe_setup,
    make_parser,
    picture_paths,
    prepare_process,
    require,
)
from _pairs import Pair, pair_files, read_pair
from PIL import Image, ImageDraw, ImageOps

from homing.options import Activation

_AMPLIFICATION = 10
_GAP, _TEXT = 8, 18  # pixels: between pictures, and of a line of text
_BLUR = 2.0  # pixels: the eye averages finer changes of colour
_FLIP = 500  # milliseconds
_ANIMATED = (".png", ".webp")  # lossless ones


@dataclass(frozen=True)
class Shown:
    """A pair and its figures."""

    pair: Pair
    psnr: float
    ssim: float
    seen: object  # Visibility

    @property
    def score(self) -> float:
        """SSIMULACRA2."""
        return self.seen.ssimulacra2

    def describe(self) -> str:
        """Return the line above the picture; Pillow's font has no Greek."""
        flip = "" if self.seen.flip is None else f", FLIP {self.seen.flip:.3f}"
        return (
            f"{self.pair.name}: SSIMULACRA2 {self.score:.1f}{flip}, dE00 {self.seen.delta_e:.2f}, "
            f"SSIM {self.ssim:.4f}, PSNR {self.psnr:.2f} dB"
        )


def main() -> int:
    """Release or pair, print the figures of the files, and write the sheet."""
    options = _options()
    prepare_process(options.threads)
    pairs = _paired(options) if options.released else _activated(options)
    shown = sorted((_measure(each) for each in pairs), key=lambda each: each.score)
    scores, decibels, structure = (
        [getattr(each, name) for each in shown] for name in ("score", "psnr", "ssim")
    )
    print(
        f"{len(shown)} pictures: SSIMULACRA2 least {scores[0]:.1f}, mean {_mean(scores):.1f}; "
        f"PSNR least {min(decibels):.3f}, mean {_mean(decibels):.2f} dB; "
        f"SSIM least {min(structure):.3f}, mean {_mean(structure):.3f}, "
        f"of which below .97: {sum(each < 0.97 for each in structure)}"
    )
    chosen = _choose(shown, options.worst)
    _write(options, [(title, each, _views(each, options.side)) for title, each in chosen])
    if options.released:
        return 0
    return 0 if _check_targets(options, min(decibels), min(scores)) else 1


def _options():
    parser = make_parser(__doc__)
    parser.add_argument("--released", type=Path, help="folder of files released of PHOTOS")
    parser.add_argument("--out", type=Path, required=True, help="the sheet, .png or .jpg")
    parser.add_argument("--flip", type=Path, help="the animation, .png or .webp")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--worst", type=int, default=1, help="worst pictures on the sheet")
    parser.add_argument("--side", type=int, default=640, help="longest side of one, pixels")
    parser.add_argument("--method", default=Activation.method, help="of activation")
    parser.add_argument("--codebook", default="IVF256,PQ8x8", help="a bundled one")
    parser.add_argument("--psnr", type=float, default=Activation.psnr)
    parser.add_argument(
        "--format", type=str.upper, help="of the files; default: each picture's own"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    require(
        options.flip is None or options.flip.suffix.lower() in _ANIMATED,
        f"the animation is one of {', '.join(_ANIMATED)}: others change colours",
    )
    return options


def _paired(options) -> list[Pair]:
    require(len(options.photos) == 1, "with --released, PHOTOS is one folder")
    for folder in (options.photos[0], options.released):
        require(folder.is_dir(), f"{folder} is no folder")
    pairs, without = pair_files(options.photos[0], options.released)
    require(bool(pairs), f"no file in {options.released} has its source in {options.photos[0]}")
    describe_setup(released=options.released, pairs=len(pairs), without_source=len(without))
    count = min(options.pictures, len(pairs))
    return [pairs[number * len(pairs) // count] for number in range(count)]


def _activated(options) -> list[Pair]:
    """Activate photographs in memory."""
    import homing
    from homing.activation import Activated, Activator, find_method

    paths = picture_paths(options.photos, options.pictures)
    descriptor = homing.load_descriptor()
    codebook = homing.load_codebook(options.codebook)
    method = find_method(options.method)
    describe_setup(photos=len(paths), method=method.name, psnr=options.psnr)
    activator = Activator(
        descriptor, codebook, method, psnr=options.psnr, seed=options.seed, format=options.format
    )
    results = list(activator.run(paths))
    activated = [each for each in results if isinstance(each, Activated) and each.ssim is not None]
    require(len(activated) == len(paths), "a picture cannot be activated")
    print(f"in the target cell: {sum(each.cell_kept for each in activated)} of {len(activated)}")
    return [
        Pair(path.name, path, result.data) for path, result in zip(paths, activated, strict=True)
    ]


def _check_targets(options, decibels: float, score: float) -> bool:
    from homing.activation import find_method

    met = check_target("PSNR of every file", decibels, at_least=options.psnr)
    least = find_method(options.method).least_visible
    if least is not None:
        met &= check_target("SSIMULACRA2 of every file", score, at_least=least)
    return met


def _measure(pair: Pair) -> Shown:
    from homing.bench.states.visibility import as_shown, measure_visibility
    from homing.images import psnr, ssim

    original, released = read_pair(pair)
    both, peak = (original.samples, released.samples), original.peak
    seen = measure_visibility(*(as_shown(each, peak=peak) for each in both))
    require(seen.ssimulacra2 is not None, f"{pair.name} has less than 8 pixels a side")
    return Shown(pair, psnr(*both, peak=peak), ssim(*both, peak=peak), seen)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _choose(shown: Sequence[Shown], worst: int) -> list[tuple[str, Shown]]:
    """Choose the least visible, the median and the worst of pictures in order of their scores."""
    places = [*range(min(worst, len(shown))), len(shown) // 2, len(shown) - 1]
    titles = ["worst"] * (len(places) - 2) + ["median", "least visible"]
    named = dict(zip(reversed(places), reversed(titles), strict=True))  # of few, the last title
    return [(named[place], shown[place]) for place in sorted(named, reverse=True)]


@dataclass(frozen=True)
class View:
    """Original and released picture, or a part of them."""

    title: str
    before: Image.Image
    after: Image.Image

    def row(self, side: int) -> Image.Image:
        """Return both and the amplified change, one beside the other."""
        import numpy as np

        change = np.asarray(self.after, np.int16) - np.asarray(self.before, np.int16)
        amplified = Image.fromarray(np.clip(128 + _AMPLIFICATION * change, 0, 255).astype(np.uint8))
        pictures = [_fit(each, side) for each in (self.before, self.after, amplified)]
        titles = f"{self.title}: original", "released", f"{_AMPLIFICATION} times the change"
        return _beside(pictures, titles)


def _views(shown: Shown, side: int) -> list[View]:
    """Return the whole picture, if it is large, and the parts where the change is most visible."""
    before, after = _as_rgb(shown.pair)
    views = []
    if max(before.size) > side:
        views.append(View("whole", before, after))
    box = _most_visible(before, after, side)
    before, after = before.crop(box), after.crop(box)
    views.append(View(f"1:1, from {box[0]}, {box[1]}", before, after))
    box = _most_visible(before, after, side // 2)
    parts = (
        each.crop(box).resize(
            (2 * (box[2] - box[0]), 2 * (box[3] - box[1])), Image.Resampling.BICUBIC
        )
        for each in (before, after)
    )
    views.append(View("2x, bicubic", *parts))
    return views


def _as_rgb(pair: Pair) -> list[Image.Image]:
    import numpy as np

    from homing.bench.states.visibility import as_shown

    pictures = []
    for each in read_pair(pair):
        pixels = as_shown(each.samples, peak=each.peak, side=max(each.samples.shape))
        colours = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
        pictures.append(Image.fromarray(np.ascontiguousarray(colours)))
    return pictures


def _most_visible(before: Image.Image, after: Image.Image, side: int) -> tuple[int, int, int, int]:
    """Return the square, or what fits, whose mean blurred difference of colour is the largest."""
    import numpy as np
    from scipy.ndimage import gaussian_filter
    from skimage.color import rgb2lab

    first, second = (
        rgb2lab(np.asarray(each, np.float32) / np.float32(255)) for each in (before, after)
    )
    change = gaussian_filter(second - first, (_BLUR, _BLUR, 0))
    sums = np.pad(np.linalg.norm(change, axis=2), ((1, 0), (1, 0))).astype(np.float64)
    sums = sums.cumsum(axis=0).cumsum(axis=1)
    height, width = (min(side, length) for length in change.shape[:2])
    means = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
    means += sums[:-height, :-width]
    top, left = np.unravel_index(np.argmax(means), means.shape)
    return int(left), int(top), int(left) + width, int(top) + height


def _write(options, chosen: Sequence[tuple[str, Shown, Sequence[View]]]) -> None:
    """Write the sheet and, if requested, the animation."""
    sheet = _below(
        picture
        for title, each, views in chosen
        for picture in (
            _line(f"{title.upper()}  {each.describe()}"),
            *(view.row(options.side) for view in views),
        )
    )
    sheet.save(options.out, quality=90, subsampling=0)  # if a JPEG
    print(f"wrote {options.out}")
    if options.flip is None:
        return
    frames = []
    for number, name in enumerate(("original", "released")):
        rows = []
        for title, each, views in chosen:
            rows.append(_line(f"{name.upper()}  {title}, {each.describe()}"))
            parts = [(view.before, view.after)[number] for view in views[-2:]]
            rows.append(_beside(parts, [view.title for view in views[-2:]]))
        frames.append(_below(rows))
    frames[0].save(
        options.flip,
        save_all=True,
        append_images=frames[1:],
        duration=_FLIP,
        loop=0,
        lossless=True,  # if a WebP
    )
    print(f"wrote {options.flip}")


def _beside(pictures: Sequence[Image.Image], titles: Sequence[str]) -> Image.Image:
    widths = [picture.width + _GAP for picture in pictures]
    height = max(picture.height for picture in pictures)
    row = Image.new("RGB", (sum(widths), height + _TEXT + _GAP), "white")
    for number, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        left = sum(widths[:number])
        ImageDraw.Draw(row).text((left, 2), title, fill="dimgray")
        row.paste(picture, (left, _TEXT))
    return row


def _below(rows: Iterator[Image.Image] | Sequence[Image.Image]) -> Image.Image:
    rows = list(rows)
    sheet = Image.new(
        "RGB", (max(row.width for row in rows), sum(row.height for row in rows)), "white"
    )
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _line(words: str) -> Image.Image:
    font = ImageDraw.Draw(Image.new("L", (1, 1)))
    line = Image.new("RGB", (int(font.textlength(words)) + _GAP, _TEXT), "white")
    ImageDraw.Draw(line).text((0, 4), words, fill="black")
    return line


def _fit(picture: Image.Image, side: int) -> Image.Image:
    return ImageOps.contain(picture, (side, side)) if max(picture.size) > side else picture


if __name__ == "__main__":
    sys.exit(main())
