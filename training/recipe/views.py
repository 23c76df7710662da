"""Views of a picture: training examples of edited copies.

A *light* view is the nearly unedited picture, as an archive records it. A *strong* view is a copy
with edits drawn by :mod:`recipe.mixes`.
"""

from collections.abc import Callable, Mapping
from functools import cache

import cv2
import numpy as np
from PIL import Image

from homing.images import squash
from recipe import tones
from recipe.geometry import Pixels, Warp, crop, letterbox, warp
from recipe.mixes import mix
from recipe.overlays import Overlays

_PUBLISHED_SIDE = 640.0  # longer side in pixels that the published edits assume
_MOST_PIXELS = 400 * 400

_Step = Callable[[Pixels, np.random.Generator], Pixels]


def finish(picture: Pixels, size: int) -> Pixels:
    """Squash a picture to (size, size, 3), as the descriptor does."""
    return np.asarray(squash(Image.fromarray(np.ascontiguousarray(picture)), size))


def light_view(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """Make a light view: sometimes compressed, slightly cropped or brightened."""
    if rng.random() < 0.5:
        return picture
    if rng.random() < 0.5:
        picture = crop(picture, rng.uniform(0.9, 1), rng.uniform(0.9, 1), rng)
    if rng.random() < 0.3:
        picture = tones.brightness(picture, rng.uniform(0.85, 1.15))
    if rng.random() < 0.5:
        picture = tones.compress(picture, int(rng.integers(50, 96)), ".jpg")
    return picture


def strong_view(picture: Pixels, overlays: Overlays, rng: np.random.Generator) -> Pixels:
    """Make a strong view, an edited copy."""
    steps = _steps(overlays)
    for name in mix(rng):
        picture = _limit_size(steps[name](picture, rng))
    return picture


def picture_in_picture(
    picture: Pixels, other: Pixels, rng: np.random.Generator
) -> tuple[Pixels, float]:
    """Put the picture inside another one; also return its share of the area."""
    height, width = other.shape[:2]
    side = rng.uniform(0.45, 0.85)
    w, h = max(16, int(side * width)), max(16, int(side * height))
    x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    made = other.copy()
    made[y : y + h, x : x + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
    return made, side**2


def collage(picture: Pixels, other: Pixels, rng: np.random.Generator) -> tuple[Pixels, float]:
    """Join two pictures or blend them; also return the first one's share of the area."""
    height, width = picture.shape[:2]
    second = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA)
    kind, share = int(rng.integers(3)), float(rng.uniform(0.4, 0.7))
    if kind == 0:
        return cv2.addWeighted(picture, share, second, 1 - share, 0), share
    pair = [(picture, share), (second, 1 - share)]
    if rng.random() < 0.5:
        pair.reverse()
    axis = kind - 1
    parts = [crop_axis(p, s, axis, rng) for p, s in pair]
    return np.concatenate(parts, axis=axis), share


def crop_axis(picture: Pixels, share: float, axis: int, rng: np.random.Generator) -> Pixels:
    """Cut out a window of a share of the height (axis 0) or the width (axis 1)."""
    length = picture.shape[axis]
    side = max(8, round(share * length))
    first = int(rng.integers(length - side + 1)) if length > side else 0
    return np.take(picture, range(first, min(first + side, length)), axis=axis)


def _scale(picture: Pixels) -> float:
    return max(picture.shape[:2]) / _PUBLISHED_SIDE


def _limit_size(picture: Pixels) -> Pixels:
    """Shrink a picture above the limit, since bands, bars and rotations grow the canvas."""
    pixels = picture.shape[0] * picture.shape[1]
    if pixels <= _MOST_PIXELS:
        return picture
    factor = (_MOST_PIXELS / pixels) ** 0.5
    size = (max(8, int(picture.shape[1] * factor)), max(8, int(picture.shape[0] * factor)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _published_brightness(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.brightness(picture, rng.uniform(0.1, 1.9))


def _grey(picture: Pixels, _rng: np.random.Generator) -> Pixels:
    return tones.grey(picture)


def _published_saturation(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.saturation(picture, rng.uniform(2, 5))


def _published_blur(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.smooth(picture, rng.uniform(5, 10) * _scale(picture), rng)


def _published_palette(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.palette(picture, int(rng.integers(2, 17)))


def _published_jpeg(picture: Pixels, rng: np.random.Generator) -> Pixels:
    enlarge = min(2.0, 1 / _scale(picture))
    return tones.compress(picture, int(rng.integers(5, 26)), ".jpg", enlarge)


def _published_pixels(picture: Pixels, rng: np.random.Generator) -> Pixels:
    share = rng.uniform(0.2, 0.5)
    # The published blocks may be finer than the pixels here: half of the views have coarser ones.
    return tones.pixelate(
        picture, share if rng.random() < 0.5 else min(1.0, share / _scale(picture))
    )


def _published_shuffle(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.shuffle(picture, rng.uniform(0.1, 0.3), _scale(picture), rng)


def _published_crop(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return crop(picture, rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.6), rng)


def _mirror(picture: Pixels, _rng: np.random.Generator) -> Pixels:
    return np.ascontiguousarray(picture[:, ::-1])


def _published_perspective(picture: Pixels, rng: np.random.Generator) -> Pixels:
    strength = rng.uniform(30, 60) / (0.7 * _PUBLISHED_SIDE)
    return warp(picture, Warp(perspective=strength, inner=True), rng)


def _published_rotation(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return warp(picture, Warp(degrees=rng.uniform(-90, 90), inner=True), rng)


def _wide_crop(picture: Pixels, rng: np.random.Generator) -> Pixels:
    area = rng.uniform(0.15, 1)
    aspect = np.exp(rng.uniform(-0.6, 0.6))
    return crop(picture, (area * aspect) ** 0.5, (area / aspect) ** 0.5, rng)


def _wide_warp(picture: Pixels, rng: np.random.Generator) -> Pixels:
    turn = rng.random()
    if turn < 0.35:
        degrees = float(rng.choice([90, 180, 270], p=[0.4, 0.2, 0.4]))
    elif turn < 0.85:
        degrees = rng.uniform(-45, 45)
    else:
        degrees = rng.uniform(-180, 180)
    change = Warp(
        degrees=degrees,
        expand=rng.random() < 0.6,
        inner=rng.random() < 0.25,
        mirror=rng.random() < 0.3,
        flip=rng.random() < 0.05,
        perspective=rng.uniform(0, 0.12) if rng.random() < 0.35 else 0.0,
    )
    return warp(picture, change, rng)


def _wide_brightness(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.brightness(picture, float(np.exp(rng.uniform(np.log(0.3), np.log(2.4)))))


def _wide_contrast(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.contrast(picture, float(np.exp(rng.uniform(np.log(0.3), np.log(2.5)))))


def _wide_gamma(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.gamma(picture, float(np.exp(rng.uniform(-0.9, 0.9))))


def _wide_hue(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.hue(picture, rng.uniform(-0.5, 0.5))


def _wide_saturation(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.saturation(picture, rng.uniform(0, 4))


def _wide_smooth(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.smooth(picture, rng.uniform(0.5, 8) * max(_scale(picture), 0.3), rng)


def _wide_shrink(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.shrink(picture, int(rng.integers(40, 120)))


def _wide_shuffle(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.shuffle(picture, rng.uniform(0.05, 0.25), _scale(picture), rng)


def _wide_palette(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.palette(picture, int(rng.integers(2, 33)))


def _wide_pixels(picture: Pixels, rng: np.random.Generator) -> Pixels:
    return tones.pixelate(picture, rng.uniform(0.12, 0.5))


def _wide_coding(picture: Pixels, rng: np.random.Generator) -> Pixels:
    suffix = ".webp" if rng.random() < 0.25 else ".jpg"
    quality = int(rng.integers(3, 60))
    return tones.compress(picture, quality, suffix, 2.0 if rng.random() < 0.3 else 1.0)


@cache
def _steps(overlays: Overlays) -> Mapping[str, _Step]:
    """Return the functions of the edits of :mod:`recipe.mixes`."""
    return {
        "published brightness": _published_brightness,
        "published saturation": _published_saturation,
        "published blur": _published_blur,
        "published palette": _published_palette,
        "published jpeg": _published_jpeg,
        "published pixels": _published_pixels,
        "published shuffle": _published_shuffle,
        "published crop": _published_crop,
        "published perspective": _published_perspective,
        "published rotation": _published_rotation,
        "wide crop": _wide_crop,
        "wide warp": _wide_warp,
        "wide brightness": _wide_brightness,
        "wide contrast": _wide_contrast,
        "wide gamma": _wide_gamma,
        "wide hue": _wide_hue,
        "wide saturation": _wide_saturation,
        "wide blur": _wide_smooth,
        "wide shrink": _wide_shrink,
        "wide shuffle": _wide_shuffle,
        "wide palette": _wide_palette,
        "wide pixels": _wide_pixels,
        "wide coding": _wide_coding,
        "grey": _grey,
        "mirror": _mirror,
        "letterbox": letterbox,
        "sharpen": tones.sharpen,
        "noise": tones.noise,
        "tint": tones.tint,
        "uneven": tones.uneven,
        "sticker": overlays.sticker,
        "text": overlays.text,
        "meme": overlays.meme,
        "caption": overlays.caption,
        "screenshot": overlays.screenshot,
    }
