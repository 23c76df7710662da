"""Edits of AugLy, written anew where its own code fails or draws by itself.

All take an 8-bit RGB picture; one too small for an edit raises `PictureError`.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from homing.edits._augly import template
from homing.errors import PictureError

_PERSPECTIVE_TRIES = 50
_Point = tuple[float, float]


def overlay_text(
    image: Image.Image,
    text: str,
    *,
    font: Path,
    size: float,
    colour: tuple[int, int, int],
    place: _Point,
) -> Image.Image:
    """Write on the picture, as AugLy's ``overlay_text`` at full opacity.

    `font` is a TrueType file; `size` is a share of the shorter edge; `place` is the left and upper
    end of the text, in shares of width and height.
    """
    points = int(min(image.size) * size)
    if points < 1:
        raise PictureError(
            f"a picture of {image.width}x{image.height} pixels is too small to be written on: "
            "use a larger one"
        )
    edited = image.copy()
    origin = (place[0] * image.width, place[1] * image.height)
    # Every build of Pillow has the basic layout, letter after letter. Raqm's is not in all, and it
    # fails on some random sequences of characters.
    letters = ImageFont.truetype(str(font), points, layout_engine=ImageFont.Layout.BASIC)
    ImageDraw.Draw(edited).text(origin, text, fill=colour, font=letters)
    return edited


def shuffle_pixels(image: Image.Image, share: float, generator: np.random.Generator) -> Image.Image:
    """Exchange the places of a share of the pixels, as AugLy's ``shuffle_pixels``."""
    pixels = np.array(image).reshape(-1, 3)
    count = int(share * len(pixels))
    if count < 2:
        raise PictureError(
            f"a picture of {image.width}x{image.height} pixels is too small to have "
            f"{share:.0%} of its pixels shuffled: use a larger one"
        )
    chosen = generator.choice(len(pixels), size=count, replace=False)
    pixels[chosen] = pixels[generator.permutation(chosen)]
    return Image.fromarray(pixels.reshape(image.height, image.width, 3))


def perspective(image: Image.Image, sigma: float, generator: np.random.Generator) -> Image.Image:
    """Move the corners at random and crop out the black, as AugLy's ``perspective_transform``.

    Each corner moves by a normal deviate (σ in pixels) in x and y; the picture is warped (bicubic)
    on its own canvas and cropped to the axis-parallel rectangle between the moved corners. Where no
    rectangle is left, corners are drawn again, up to 50 times; AugLy gives up.
    """
    width, height = image.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
    for _ in range(_PERSPECTIVE_TRIES):
        moved = corners + generator.normal(0, sigma, size=(4, 2))
        left = round(max(0, moved[0, 0], moved[3, 0]))
        right = round(min(width, moved[1, 0], moved[2, 0]))
        upper = round(max(0, moved[0, 1], moved[1, 1]))
        lower = round(min(height, moved[2, 1], moved[3, 1]))
        if left < right and upper < lower:
            break
    else:
        raise PictureError(
            f"a picture of {width}x{height} pixels is too small for a change of perspective of "
            f"{sigma:.0f} pixels: use a larger one"
        )
    warped = image.transform(
        image.size,
        Image.Transform.PERSPECTIVE,
        _homography(moved, corners),
        resample=Image.Resampling.BICUBIC,
    )
    return warped.crop((left, upper, right, lower))


def _homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> list[float]:
    """Solve for a…h with X = (ax + by + c)/(gx + hy + 1), Y = (dx + ey + f)/(gx + hy + 1).

    Pillow maps each pixel of the *output* to the input: `source` are the corners in the output,
    `target` those in the input.
    """
    rows = []
    for (x, y), (u, v) in zip(source.tolist(), target.tolist(), strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solution: list[float] = np.linalg.solve(np.array(rows), target.reshape(8)).tolist()
    return solution


def screenshot(image: Image.Image, name: str, *, crop: bool = False) -> Image.Image:
    """Put the picture on a screen, as AugLy's ``overlay_onto_screenshot``.

    `name` is that of a `template`. The picture is scaled to fit the place on the screen, black
    filling the rest. With `crop` the screen is scaled until its place fits the picture, which is
    cropped centrally.
    """
    screen, box = template(name)
    edited = _onto_scaled_screen(image, screen, box) if crop else _into_screen(image, screen, box)
    if edited is None:
        raise PictureError(
            f"a picture of {image.width}x{image.height} pixels is too small or too narrow for a "
            "screenshot: use a larger one"
        )
    return edited


def _into_screen(
    image: Image.Image, screen: Image.Image, box: tuple[int, int, int, int]
) -> Image.Image | None:
    """Scale the picture into the box, black around it; None if nothing is left of it."""
    left, upper, right, lower = box
    width, height = right - left, lower - upper
    factor = min(width / image.width, height / image.height)
    size = (int(image.width * factor), int(image.height * factor))
    if 0 in size:
        return None
    resample = Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BILINEAR
    screen.paste((0, 0, 0), box)
    place = (left + (width - size[0]) // 2, upper + (height - size[1]) // 2)
    screen.paste(image.resize(size, resample=resample), place)
    return screen


def _onto_scaled_screen(
    image: Image.Image, screen: Image.Image, box: tuple[int, int, int, int]
) -> Image.Image | None:
    """Scale the screen until its box fits the picture, cropped to the box; None if too small."""
    left, upper, right, lower = box
    factor = min(image.width / (right - left), image.height / (lower - upper))
    width, height = int((right - left) * factor), int((lower - upper) * factor)
    size = (int(screen.width * factor), int(screen.height * factor))
    if 0 in (*size, width, height):
        return None
    edited = screen.resize(size, resample=Image.Resampling.BILINEAR)
    x, y = (image.width - width) // 2, (image.height - height) // 2
    shown = image.crop((x, y, x + width, y + height))
    edited.paste(shown, (int(left * factor), int(upper * factor)))
    return edited
