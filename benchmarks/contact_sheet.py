"""The largest changes of a release, as pictures: original, released, ten times the change.

PHOTOS are activated in memory. The figures of all are printed; the sheet shows those with the
lowest structural similarity to their sources, at the size of --side.
"""

import io
import sys
from pathlib import Path

from _common import (
    check_target,
    describe_setup,
    make_parser,
    picture_paths,
    prepare_process,
    require,
)
from PIL import Image, ImageDraw, ImageOps

from homing.options import Activation

_AMPLIFICATION = 10
_GAP, _TEXT = 8, 18  # pixels: between pictures, and of the line of text above a row


def main() -> int:
    """Activate, print the figures of the files, and write the sheet."""
    options = _options()
    prepare_process(options.threads)
    import numpy as np

    import homing
    from homing.activation import Activated, Activator, find_method

    paths = picture_paths(options.photos, options.pictures)
    descriptor = homing.load_descriptor()
    codebook = homing.load_codebook(f"homing-s-{options.codebook.replace(',', '-')}")
    method = find_method(options.method)
    describe_setup(photos=len(paths), method=method.name, psnr=options.psnr)
    activator = Activator(
        descriptor, codebook, method, psnr=options.psnr, seed=options.seed, format=options.format
    )
    activated = [
        (path, result)
        for path, result in zip(paths, activator.run(paths), strict=True)
        if isinstance(result, Activated) and result.ssim is not None
    ]
    require(len(activated) == len(paths), "a picture cannot be activated")
    decibels = [result.psnr for _, result in activated]
    similar = np.array([result.ssim for _, result in activated])
    print(
        f"PSNR least {min(decibels):.3f}, mean {np.mean(decibels):.2f} dB; "
        f"SSIM least {similar.min():.3f}, mean {similar.mean():.3f}, "
        f"of which below .97: {(similar < 0.97).sum()}; "
        f"in the target cell: {sum(result.cell_kept for _, result in activated)} "
        f"of {len(activated)}"
    )
    worst = [activated[place] for place in np.argsort(similar)[: options.worst]]
    _make_sheet(worst, options.side).save(options.out, quality=90, subsampling=0)  # if a JPEG
    print(f"wrote {options.out}")
    met = check_target("PSNR of every file", min(decibels), at_least=options.psnr)
    if method.least_ssim is not None:
        met &= check_target("SSIM of every file", similar.min(), at_least=method.least_ssim)
    return 0 if met else 1


def _options():
    parser = make_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the sheet, .png or .jpg")
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--worst", type=int, default=20, help="pictures on the sheet")
    parser.add_argument("--side", type=int, default=640, help="longest side of one, pixels")
    parser.add_argument("--method", default=Activation.method, help="of activation")
    parser.add_argument("--codebook", default="IVF256,PQ8x8", help="a bundled one")
    parser.add_argument("--psnr", type=float, default=42.0)
    parser.add_argument(
        "--format", type=str.upper, help="of the files; default: each picture's own"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def _make_sheet(results, side: int) -> Image.Image:
    rows = [_make_row(path, result, side) for path, result in results]
    width = max(row.width for row in rows)
    sheet = Image.new("RGB", (width, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _make_row(path: Path, result, side: int) -> Image.Image:
    import numpy as np

    before, after = (_read_rgb(source) for source in (path, io.BytesIO(result.data)))
    change = np.asarray(after, np.int16) - np.asarray(before, np.int16)
    amplified = Image.fromarray(np.clip(128 + _AMPLIFICATION * change, 0, 255).astype(np.uint8))
    shown = [_fit(picture, side) for picture in (before, after, amplified)]
    width, height = shown[0].size
    row = Image.new("RGB", (3 * width + 2 * _GAP, height + _TEXT + _GAP), "white")
    words = f"{path.name}: SSIM {result.ssim:.3f}, PSNR {result.psnr:.2f} dB"
    ImageDraw.Draw(row).text((0, 2), words, fill="black")
    for place, picture in enumerate(shown):
        row.paste(picture, (place * (width + _GAP), _TEXT))
    return row


def _read_rgb(source) -> Image.Image:
    with Image.open(source) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _fit(picture: Image.Image, side: int) -> Image.Image:
    return ImageOps.contain(picture, (side, side)) if max(picture.size) > side else picture


if __name__ == "__main__":
    sys.exit(main())
