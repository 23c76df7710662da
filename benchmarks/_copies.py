"""Copies of photographs as they circulate, for benchmarks of the comparison of pictures."""

# ruff: noqa: ARG005  (every edit gets the same arguments)

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Rgb = Image.Image
Edit = Callable[[Rgb, Rgb, np.random.Generator], Rgb]  # picture, another one, generator


def coded(picture: Rgb, quality: int) -> Rgb:
    """Return a picture as a JPEG of that quality shows it."""
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=quality)
    return Image.open(io.BytesIO(written.getvalue())).convert("RGB")


def preview(picture: Rgb, side: int = 480, quality: int = 70) -> Rgb:
    """Return the preview that an archive keeps."""
    written = io.BytesIO()
    (fitted(picture, side) if max(picture.size) > side else picture).save(
        written, "WEBP", quality=quality
    )
    return Image.open(io.BytesIO(written.getvalue())).convert("RGB")


def fitted(picture: Rgb, side: int) -> Rgb:
    """Resize a picture to a longer side."""
    factor = side / max(picture.size)
    size = (max(8, round(picture.width * factor)), max(8, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def cropped(picture: Rgb, left: float, top: float, right: float, bottom: float) -> Rgb:
    """Crop a picture to shares of its sides."""
    width, height = picture.size
    return picture.crop(
        (int(width * left), int(height * top), int(width * right), int(height * bottom))
    )


def _third(picture: Rgb, _: Rgb, generator: np.random.Generator) -> Rgb:
    side = 0.33**0.5
    left, top = generator.uniform(0, 1 - side, size=2)
    return coded(cropped(picture, left, top, left + side, top + side), 80)


def _captioned(picture: Rgb, _: Rgb, __: np.random.Generator) -> Rgb:
    inner = cropped(picture, 0.1, 0.05, 0.95, 0.9)
    band = max(24, inner.height // 6)
    whole = Image.new("RGB", (inner.width, inner.height + band), "black")
    whole.paste(inner, (0, 0))
    ImageDraw.Draw(whole).text(
        (10, inner.height + band // 4), "TODAY: a line that nobody will read", fill="white"
    )
    return coded(whole, 75)


def _meme(picture: Rgb, _: Rgb, __: np.random.Generator) -> Rgb:
    whole = picture.copy()
    draw = ImageDraw.Draw(whole)
    size = whole.width / 11
    for text, y in (("WHEN THE PICTURE", 0.02), ("COMES HOME AGAIN", 0.96)):
        place = (whole.width / 2, y * whole.height)
        anchor = "ma" if y < 0.5 else "md"
        draw.text(
            place, text, "white", font_size=size, anchor=anchor, stroke_width=3, stroke_fill="black"
        )
    return coded(whole, 75)


def _phone(picture: Rgb, _: Rgb, __: np.random.Generator) -> Rgb:
    screen = Image.new("RGB", (540, 1170), (20, 20, 22))
    draw = ImageDraw.Draw(screen)
    draw.text((24, 16), "9:41", fill="white")
    draw.ellipse((20, 60, 60, 100), fill=(200, 90, 90))
    draw.text((72, 72), "someone  3h", fill="white")
    shown = picture.resize((540, round(540 * picture.height / picture.width)))
    shown = shown.crop((0, 0, 540, min(800, shown.height)))
    screen.paste(shown, (0, 150))
    for line in range(3):
        top = 170 + shown.height + 30 * line
        draw.rectangle((24, top, 300 + 60 * line, top + 14), fill=(120, 120, 125))
    return coded(screen, 80)


def _filtered(picture: Rgb, _: Rgb, __: np.random.Generator) -> Rgb:
    levels = (np.asarray(picture, np.float32) / 255) ** np.array([0.85, 0.95, 1.15])
    height, width = levels.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    levels *= (1 - 0.35 * np.clip(x * x + y * y - 0.4, 0, 1))[..., None]
    return coded(ImageEnhance.Contrast(_picture(255 * levels)).enhance(1.2), 80)


def _watermarked(picture: Rgb, _: Rgb, __: np.random.Generator) -> Rgb:
    marks = Image.new("L", picture.size, 0)
    draw = ImageDraw.Draw(marks)
    for y in range(0, picture.height, 60):
        for x in range(-picture.width, picture.width, 160):
            draw.text((x + y, y), "PREVIEW · agency", fill=150)
    return coded(Image.composite(Image.new("RGB", picture.size, "white"), picture, marks), 80)


def _tilted(picture: Rgb, _: Rgb, __: np.random.Generator) -> Rgb:
    turned = picture.rotate(4, Image.Resampling.BICUBIC)
    return coded(cropped(turned, 0.08, 0.08, 0.92, 0.92), 80)


def _photographed(picture: Rgb, _: Rgb, generator: np.random.Generator) -> Rgb:
    width, height = picture.size
    near = generator.uniform(0, 0.06, size=8) * np.tile((width, height), 4)
    signs = np.array([1, 1, 1, -1, -1, -1, -1, 1])
    corners = np.array([0, 0, 0, height, width, height, width, 0]) + signs * near
    seen = picture.transform(
        picture.size, Image.Transform.QUAD, corners.tolist(), Image.Resampling.BICUBIC
    ).filter(ImageFilter.GaussianBlur(1.2))
    noise = generator.normal(0, 7, size=(height, width, 1))
    return coded(_picture(np.asarray(seen) * generator.uniform(0.75, 1.1) + noise), 70)


def _picture(levels: np.ndarray) -> Rgb:
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def _collage(picture: Rgb, other: Rgb, _: np.random.Generator) -> Rgb:
    return collage([picture, other], columns=2, gutter=6)[0]


Box = tuple[int, int, int, int]


def collage(
    pictures: list[Rgb], columns: int, gutter: int, cell: tuple[int, int] | None = None
) -> tuple[Rgb, list[Box]]:
    """Put pictures side by side; return the whole and the box of each.

    Pictures of one row keep their shapes; those of several fill cells of one size.
    """
    if cell is None:
        shown = [picture.resize((round(picture.width * 360 / picture.height), 360))
                 for picture in pictures]  # fmt: skip
        lefts = np.cumsum([0, *(each.width + gutter for each in shown)]).tolist()
        places = [(left, 0) for left in lefts[:-1]]
        size = (lefts[-1] - gutter, 360)
    else:
        shown = [ImageOps.fit(picture, cell) for picture in pictures]
        rows = -(-len(pictures) // columns)
        across, down = cell[0] + gutter, cell[1] + gutter
        places = [(across * (n % columns), down * (n // columns)) for n in range(len(pictures))]
        size = (across * columns - gutter, down * rows - gutter)
    whole = Image.new("RGB", size, "white")
    for each, place in zip(shown, places, strict=True):
        whole.paste(each, place)
    boxes = [(x, y, x + e.width, y + e.height) for e, (x, y) in zip(shown, places, strict=True)]
    return coded(whole, 80), boxes


def collage_of(pictures: list[Rgb], columns: int, gutter: int) -> Rgb:
    """Put pictures side by side: in one row as high as each other, else in cells."""
    cell = None if columns >= len(pictures) else (900 // columns, 720 // columns)
    return collage(pictures, columns, gutter, cell)[0]


def within(inner: Rgb, outer: Rgb, generator: np.random.Generator) -> tuple[Rgb, Box]:
    """Put a picture into a corner of another one; return the whole and its box."""
    whole = fitted(outer, 800)
    shown = fitted(inner, round(float(generator.uniform(0.3, 0.45)) * 800))
    x = int(generator.choice([16, whole.width - shown.width - 16]))
    y = int(generator.choice([16, whole.height - shown.height - 16]))
    whole.paste(shown, (x, y))
    return coded(whole, 80), (x, y, x + shown.width, y + shown.height)


COPIES: dict[str, Edit] = {
    "same": lambda p, o, g: p,
    "shared": lambda p, o, g: coded(fitted(p, 1080), 75),
    "thumbnail": lambda p, o, g: coded(fitted(p, 200), 60),
    "crop 4:5": lambda p, o, g: coded(
        cropped(p, 0.2, 0, 0.8, 1) if p.width > p.height else cropped(p, 0, 0.15, 1, 0.85), 80
    ),
    "crop to a third": _third,
    "caption": _captioned,
    "meme": _meme,
    "mirrored": lambda p, o, g: coded(ImageOps.mirror(p), 80),
    "turned 90°": lambda p, o, g: coded(p.transpose(Image.Transpose.ROTATE_90), 80),
    "turned 180°": lambda p, o, g: coded(p.transpose(Image.Transpose.ROTATE_180), 80),
    "grey": lambda p, o, g: coded(ImageOps.grayscale(p).convert("RGB"), 80),
    "phone": _phone,
    "filter": _filtered,
    "watermark": _watermarked,
    "collage": _collage,
    "tilted": _tilted,
    "photographed": _photographed,
}

DOCUMENT_COPIES: dict[str, Edit] = {
    "JPEG 55 at .7": lambda p, o, g: coded(fitted(p, round(0.7 * max(p.size))), 55),
    "cropped": lambda p, o, g: coded(cropped(p, 0.08, 0.06, 0.95, 0.93), 75),
    "cropped more": lambda p, o, g: coded(cropped(p, 0.0, 0.0, 0.85, 0.7), 75),
}
