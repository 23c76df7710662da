"""Edits of colours and pixels, as made by programs, cameras and codecs.

The published definitions count in pixels of pictures with sides of about 640. `scale` is the side
of the current picture over 640; it gives edits the same strength in relation to the picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recipe.geometry import Pixels

_SAMPLED_SIDE = 48
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def _table(values: NDArray[np.floating], picture: Pixels) -> Pixels:
    table = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return cv2.LUT(picture, table)


_LEVELS = np.arange(256, dtype=np.float32)


def brightness(picture: Pixels, factor: float) -> Pixels:
    """Multiply all levels by `factor`, as Pillow does."""
    return _table(_LEVELS * factor, picture)


def contrast(picture: Pixels, factor: float) -> Pixels:
    """Stretch about the mean grey level, as Pillow does."""
    mean = round(float(picture.reshape(-1, 3).mean(axis=0) @ _LUMA))
    return _table(mean + (_LEVELS - mean) * factor, picture)


def gamma(picture: Pixels, power: float) -> Pixels:
    """Apply a gamma curve."""
    return _table(255 * (_LEVELS / 255) ** power, picture)


def grey(picture: Pixels) -> Pixels:
    """Remove colour."""
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def saturation(picture: Pixels, factor: float) -> Pixels:
    """Blend with the grey picture, or away from it."""
    return cv2.addWeighted(picture, factor, grey(picture), 1 - factor, 0)


def hue(picture: Pixels, turn: float) -> Pixels:
    """Rotate the hue by the share `turn` of the full circle."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[:, :, 0] = (hsv[:, :, 0].astype(np.int16) + round(180 * turn)) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def tint(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Apply sepia, a colour cast, a channel permutation, or solarisation."""
    kind = int(rng.integers(4))
    if kind == 0:
        cast = np.float32([1.07, 0.95, 0.75])
        return np.clip(grey(picture) * cast, 0, 255).astype(np.uint8)
    if kind == 1:
        factors = rng.uniform(0.5, 1.5, size=3).astype(np.float32)
        return np.clip(picture * factors, 0, 255).astype(np.uint8)
    if kind == 2:
        return np.ascontiguousarray(picture[:, :, rng.permutation(3)])
    threshold = int(rng.integers(100, 256))
    return _table(np.where(threshold <= _LEVELS, 255 - _LEVELS, _LEVELS), picture)


def uneven(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Apply light that falls off to one side or to the corners."""
    height, width = picture.shape[:2]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 0.9)
    along = np.cos(angle) * x + np.sin(angle) * y
    falloff = x**2 + y**2 if rng.random() < 0.5 else along + 1
    light = 1 - depth * falloff / 2
    return np.clip(picture * light[:, :, None], 0, 255).astype(np.uint8)


def smooth(picture: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Apply a Gaussian, box or motion blur of standard deviation `sigma`, in pixels."""
    sigma = max(sigma, 0.3)
    kind = rng.random()
    if kind < 0.7:
        return cv2.GaussianBlur(picture, (0, 0), sigma)
    taps = max(3, round(3.46 * sigma)) | 1
    if kind < 0.85:
        return cv2.blur(picture, (taps, taps))
    kernel = np.zeros((taps, taps), np.float32)
    angle = rng.uniform(0, np.pi)
    offset = np.array([np.cos(angle), np.sin(angle)]) * taps / 2
    centre = taps // 2
    ends = [
        (round(centre + sign * offset[0]), round(centre + sign * offset[1])) for sign in (-1, 1)
    ]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return cv2.filter2D(picture, -1, kernel / max(kernel.sum(), 1))


def sharpen(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Apply Pillow's strongest edge filter, or an unsharp mask."""
    if rng.random() < 0.5:
        kernel = np.full((3, 3), -1.0, np.float32)
        kernel[1, 1] = 9.0
        return cv2.filter2D(picture, -1, kernel)
    amount = rng.uniform(0.5, 3)
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 2))
    return cv2.addWeighted(picture, 1 + amount, blurred, -amount, 0)


def noise(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise, coloured or grey, or salt and pepper."""
    if rng.random() < 0.3:
        noisy = picture.copy()
        grains = rng.random(picture.shape[:2], dtype=np.float32)
        share = rng.uniform(0.01, 0.1)
        noisy[grains < share / 2] = 0
        noisy[grains > 1 - share / 2] = 255
        return noisy
    deviation = rng.uniform(4, 40)
    channels = 3 if rng.random() < 0.5 else 1
    grains = rng.standard_normal((*picture.shape[:2], channels), dtype=np.float32)
    return np.clip(picture + deviation * grains, 0, 255).astype(np.uint8)


def shuffle(picture: Pixels, share: float, scale: float, rng: np.random.Generator) -> Pixels:
    """Exchange a share of the pixels, averaged as if at 640 pixels of side and then shrunk."""
    drawn = picture.reshape(-1, 3)[rng.integers(picture.size // 3, size=picture.shape[:2])]
    if scale >= 1:
        chosen = rng.random(picture.shape[:2], dtype=np.float32) < share
        return np.where(chosen[:, :, None], drawn, picture)
    mean = picture.reshape(-1, 3).mean(axis=0, dtype=np.float32)
    deviation = (drawn - mean) * np.float32(np.sqrt(share) * scale)
    mixed = (1 - share) * picture + share * mean + deviation
    return np.clip(mixed, 0, 255).astype(np.uint8)


def palette(picture: Pixels, colours: int) -> Pixels:
    """Reduce to `colours` by median cut of a small copy, which takes a tenth of the time."""
    image = Image.fromarray(picture)
    small = image.resize((_SAMPLED_SIDE, _SAMPLED_SIDE), Image.Resampling.NEAREST)
    few = small.quantize(colours, dither=Image.Dither.NONE)
    return np.asarray(image.quantize(palette=few, dither=Image.Dither.NONE).convert("RGB"))


def pixelate(picture: Pixels, share: float) -> Pixels:
    """Shrink to a share of the sides and enlarge again, in blocks."""
    height, width = picture.shape[:2]
    small = (max(4, round(width * share)), max(4, round(height * share)))
    shrunk = cv2.resize(picture, small, interpolation=cv2.INTER_LINEAR)
    return cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_NEAREST)


def shrink(picture: Pixels, side: int) -> Pixels:
    """Shrink to `side` pixels on the shorter side, without enlarging again."""
    height, width = picture.shape[:2]
    factor = side / min(height, width)
    if factor >= 1:
        return picture
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def compress(picture: Pixels, quality: int, suffix: str, enlarge: float = 1.0) -> Pixels:
    """Apply JPEG or WebP; `enlarge` codes a larger picture, which makes the blocks smaller."""
    height, width = picture.shape[:2]
    coded = picture
    if enlarge > 1:
        coded = cv2.resize(picture, (round(width * enlarge), round(height * enlarge)))
    flag = cv2.IMWRITE_JPEG_QUALITY if suffix == ".jpg" else cv2.IMWRITE_WEBP_QUALITY
    done, data = cv2.imencode(suffix, coded[:, :, ::-1], [flag, quality])
    assert done
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    if enlarge > 1:
        decoded = cv2.resize(decoded, (width, height), interpolation=cv2.INTER_AREA)
    return decoded
