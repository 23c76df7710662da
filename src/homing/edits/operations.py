"""Deterministic operations of the paper's edits, one function each.

Every function takes an 8-bit RGB picture and returns a new one, of the same size unless it says
otherwise. Settings out of range raise `UsageError`, pictures too small for an edit `PictureError`.
"""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFont

from homing.errors import PictureError, UsageError

_MEME_BAND = 250  # pixels of white above the picture
_MEME_MARGIN = 10


def identity(image: Image.Image) -> Image.Image:
    """Copy the picture unchanged."""
    return image.copy()


def contrast(image: Image.Image, factor: float) -> Image.Image:
    """Blend the picture with (`factor` < 1) or away from its mean luminance; 0 is uniform grey."""
    return ImageEnhance.Contrast(image).enhance(factor)


def brightness(image: Image.Image, factor: float) -> Image.Image:
    """Multiply every channel by a factor, clipped at 255; 0 is black."""
    return ImageEnhance.Brightness(image).enhance(factor)


def hue(image: Image.Image, factor: float) -> Image.Image:
    """Turn the hue by −0.5 to 0.5 of the circle: 8-bit H plus int(255 · factor), modulo 256."""
    if not -0.5 <= factor <= 0.5:
        raise UsageError(f"hue is turned by -0.5 to 0.5 of the circle, not by {factor}")
    planes = image.convert("HSV").split()
    shift = int(factor * 255)
    turned = planes[0].point([(value + shift) % 256 for value in range(256)])
    return Image.merge("HSV", (turned, *planes[1:])).convert("RGB")


def blur(image: Image.Image, taps: int) -> Image.Image:
    """Blur by a Gaussian of σ = 0.3·((taps − 1)/2 − 1) + 0.8, borders reflected.

    `taps` is the odd width of the square kernel in pixels; 1 leaves the picture unchanged.
    """
    if taps < 1 or taps % 2 == 0:
        raise UsageError(f"a blur takes an odd, positive number of taps, not {taps}")
    half = taps // 2
    sigma = 0.3 * ((taps - 1) / 2 - 1) + 0.8
    weights = np.exp(-0.5 * (np.arange(half + 1) / sigma) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    pixels = np.asarray(image, dtype=np.float32)
    smooth = _convolve(_convolve(pixels, weights, axis=0), weights, axis=1)
    return Image.fromarray(np.rint(smooth).clip(0, 255).astype(np.uint8))


def _convolve(
    pixels: NDArray[np.float32], half_kernel: NDArray[np.float64], *, axis: int
) -> NDArray[np.float32]:
    """Convolve along one axis with a symmetric kernel, given from its centre outwards."""
    half = len(half_kernel) - 1
    length = pixels.shape[axis]
    border = [(half, half) if each == axis else (0, 0) for each in range(pixels.ndim)]
    padded = np.moveaxis(np.pad(pixels, border, mode="reflect"), axis, 0)
    total = padded[half : half + length] * np.float32(half_kernel[0])
    for distance in range(1, half + 1):
        pair = (
            padded[half - distance : half - distance + length]
            + (padded[half + distance : half + distance + length])
        )
        pair *= np.float32(half_kernel[distance])
        total += pair
    return np.moveaxis(total, 0, axis)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Encode as JPEG of quality 1 to 100, with Pillow's defaults (4:2:0), and decode again."""
    if not 1 <= quality <= 100:
        raise UsageError(f"JPEG quality goes from 1 to 100, not {quality}")
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    buffer.seek(0)
    with Image.open(buffer) as decoded:
        return decoded.convert("RGB")


def rotation(image: Image.Image, degrees: float) -> Image.Image:
    """Turn counter-clockwise on a canvas that grows to hold it; black outside, bilinear."""
    return image.rotate(
        degrees, resample=Image.Resampling.BILINEAR, expand=True, fillcolor=(0, 0, 0)
    )


def _scaled_size(image: Image.Image, area: float, verb: str) -> tuple[int, int]:
    """Return the size of edges int(√area · edge), at least 1."""
    if not 0 < area <= 1:
        raise UsageError(f"the share of the area is above 0 and at most 1, not {area}")
    factor = math.sqrt(area)
    size = (max(1, int(image.width * factor)), max(1, int(image.height * factor)))
    if size == image.size and area < 1:
        raise PictureError(
            f"a picture of {image.width}x{image.height} pixels is too small to {verb} to "
            f"{area:g} of its area: use a larger one"
        )
    return size


def crop(image: Image.Image, area: float) -> Image.Image:
    """Cut out the centre: a share of the area, of the same aspect (edges × √area)."""
    width, height = _scaled_size(image, area, "crop")
    left = round((image.width - width) / 2)
    top = round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def resize(image: Image.Image, area: float) -> Image.Image:
    """Shrink to a share of the area (edges × √area), antialiased bilinear."""
    return image.resize(_scaled_size(image, area, "shrink"), resample=Image.Resampling.BILINEAR)


def meme(image: Image.Image, text: str = "LOL") -> Image.Image:
    """Put a white band of 250 pixels with one line in black above the picture.

    As AugLy's ``meme_format``: the largest letters of 240, 235, 230… points that leave 10 pixels
    in width and height. The font is Pillow's own scalable one, so that no other package is needed.
    """
    room = image.width - _MEME_MARGIN
    for points in range(_MEME_BAND - _MEME_MARGIN, 0, -5):
        font = ImageFont.load_default(points)
        # From the pen's origin and the ascender's top, as AugLy measures a line of text.
        text_width = int(font.getbbox(text)[2])
        text_height = int(font.getbbox("A")[3])
        if text_width <= room and text_height <= _MEME_BAND - _MEME_MARGIN:
            break
    else:
        raise PictureError(
            f"a picture of {image.width} pixels' width is too narrow for the word {text!r} "
            "above it: use a wider one or leave the edit 'meme' out"
        )
    edited = Image.new("RGB", (image.width, image.height + _MEME_BAND), (255, 255, 255))
    edited.paste(image, (0, _MEME_BAND))
    origin = (round((image.width - text_width) / 2), round((_MEME_BAND - text_height) / 2))
    ImageDraw.Draw(edited).text(origin, text, font=font, fill=(0, 0, 0))
    return edited
