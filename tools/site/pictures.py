"""Pictures of the README and of *Start*: a copy is found, by a real search.

    python tools/site/pictures.py [--out docs/pictures]

scikit-image's photographs are released into an archive. One is mirrored, cropped, darkened and
captioned, and saved as a coarse JPEG. What `homing search` and `explain` say of that is drawn.
"""

import argparse
import contextlib
import tempfile
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

import homing
from homing.cli.main import cli
from homing.demo.material import copy_bundled_pictures

_OUT = Path(__file__).parents[2] / "docs" / "pictures"
_PICTURE = "coffee.png"
_INK, _QUIET, _TEAL, _PAPER = "#1f2933", "#6b7280", "#12998a", "#ffffff"
_HEIGHT, _GAP, _HEAD = 300, 24, 40  # pixels of a panel, between panels, above them
_FONT = "DejaVuSans.ttf"  # matplotlib ships it
_MOST_LINES = 2  # of the answer that are shown


@dataclass(frozen=True)
class Found:
    """A copy, and what was found."""

    original: Image.Image
    released: Image.Image
    copy: Image.Image
    words: str  # as `homing search` printed them
    shown: list[tuple[float, float]]  # the copy's corners in the original


def main() -> int:
    """Search, and write the pictures."""
    reader = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    reader.add_argument("--out", type=Path, default=_OUT, help="folder for the pictures")
    options = reader.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        found = search()
    print(found.words)
    pages = {"found": found_page, "start-released": released_page, "start-found": answer_page}
    for name, page in pages.items():
        page(found).save(options.out / f"{name}.jpg", quality=88, optimize=True)
    return 0


def search() -> Found:
    """Release scikit-image's pictures and search for a copy of one, in the working folder."""
    copy_bundled_pictures(Path("photos"))
    archive = homing.create("archive", expect=1000)
    archive.release("photos/", out="released/")
    released = Image.open(f"released/{_PICTURE}").convert("RGB")
    circulated(released).save("suspect.jpg", quality=55)
    words = CliRunner().invoke(cli, ["search", "archive", "suspect.jpg", "--views", "all"]).stdout
    explained = archive.explain("suspect.jpg")
    assert explained.hit is not None
    assert explained.hit.id == _PICTURE, words
    assert explained.alignment is not None
    scale = np.array(released.size) / explained.record.size
    corners = [tuple(map(float, corner * scale)) for corner in explained.alignment.in_record]
    original = Image.open(f"photos/{_PICTURE}").convert("RGB")
    copy = Image.open("suspect.jpg").convert("RGB")
    return Found(original, released, copy, words, corners)


def circulated(picture: Image.Image) -> Image.Image:
    """Return a copy as it circulates: mirrored, cropped, darker, with a caption."""
    width, height = picture.size
    part = picture.crop((int(0.18 * width), int(0.04 * height), int(0.92 * width), height))
    part = ImageEnhance.Brightness(ImageOps.mirror(part)).enhance(0.8)
    band = part.height // 6
    copy = Image.new("RGB", (part.width, part.height + band), "white")
    copy.paste(part, (0, band))
    font = _font(band // 2)
    pen = ImageDraw.Draw(copy)
    pen.text((part.width / 2, band / 2), "monday. again.", fill="black", font=font, anchor="mm")
    return copy.resize((copy.width * 7 // 10, copy.height * 7 // 10), Image.Resampling.LANCZOS)


def found_page(found: Found) -> Image.Image:
    """Return the three pictures of the README: published, as it circulates, the answer."""
    panels = (
        ("You published this.", found.released),
        ("This circulates.", found.copy),
        ("homing finds it, and shows the part.", framed(found)),
    )
    return with_words(side_by_side(panels), found.words)


def released_page(found: Found) -> Image.Image:
    """Return a picture, its release, and their difference twenty times as strong."""
    change = np.asarray(found.released, np.int16) - np.asarray(found.original, np.int16)
    strong = Image.fromarray(np.clip(128 + 20 * change, 0, 255).astype(np.uint8))
    panels = (
        ("Your picture.", found.original),
        ("Its release.", found.released),
        ("The difference, 20 times as strong.", strong),
    )
    return side_by_side(panels)


def answer_page(found: Found) -> Image.Image:
    """Return the picture that was sent, and the answer."""
    panels = (
        ("suspect.jpg", found.copy),
        (f"{_PICTURE}, with the part that is shown", framed(found)),
    )
    return with_words(side_by_side(panels), found.words)


def framed(found: Found) -> Image.Image:
    """Return the original with what the copy shows of it in a frame, the rest paler."""
    mask = Image.new("L", found.original.size, 110)
    ImageDraw.Draw(mask).polygon(found.shown, fill=255)
    pale = Image.composite(found.original, Image.new("RGB", mask.size, _PAPER), mask)
    pen = ImageDraw.Draw(pale)
    pen.line([*found.shown, found.shown[0]], fill=_TEAL, width=7, joint="curve")
    return pale


def side_by_side(panels: tuple[tuple[str, Image.Image], ...]) -> Image.Image:
    """Return pictures of one height in a row, each with its heading."""
    shown = [
        (
            words,
            each.resize(
                (round(each.width * _HEIGHT / each.height), _HEIGHT), Image.Resampling.LANCZOS
            ),
        )
        for words, each in panels
    ]
    width = sum(each.width for _, each in shown) + _GAP * (len(shown) + 1)
    page = Image.new("RGB", (width, _HEIGHT + _HEAD + _GAP), _PAPER)
    pen, left = ImageDraw.Draw(page), _GAP
    for words, each in shown:
        pen.text((left, _HEAD // 2 + 4), words, fill=_INK, font=_font(17), anchor="lm")
        page.paste(each, (left, _HEAD))
        left += each.width + _GAP
    return page


def with_words(page: Image.Image, words: str) -> Image.Image:
    """Return the page with the answer below it, as a terminal shows it."""
    font, step = _font(15, mono=True), 22
    room = int((page.width - 2 * _GAP) // font.getlength("x"))
    lines = ["$ homing search archive suspect.jpg --views all"]
    for line in words.splitlines()[:_MOST_LINES]:
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(line, room, initial_indent=indent, subsequent_indent=indent + "  ")
    longer = Image.new("RGB", (page.width, page.height + step * len(lines) + _GAP), _PAPER)
    longer.paste(page, (0, 0))
    pen = ImageDraw.Draw(longer)
    for number, line in enumerate(lines):
        colour = _QUIET if number == 0 else _INK
        pen.text((_GAP, page.height + number * step), line, fill=colour, font=font)
    return longer


def _font(size: int, *, mono: bool = False) -> ImageFont.FreeTypeFont:
    import matplotlib as mpl

    name = "DejaVuSansMono.ttf" if mono else _FONT
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)


if __name__ == "__main__":
    raise SystemExit(main())
