"""The paper's *random* edit: a mix of colour, overlay, pixel and spatial edits.

AugLy 1.0.0 (Papakipos, Bitton: "AugLy: Data Augmentations for Robustness", arXiv:2201.06494) makes
those that work with today's Pillow and NumPy and draw nothing by themselves. The others
(perspective, which uses names that NumPy dropped; text, which unpickles; shuffled pixels, which
reseeds NumPy's global generator; screenshots, which leave a file open) are written to the same
definition in :mod:`homing.edits._replacements`. Every choice comes from the generator passed in.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from PIL import Image

from homing.edits._augly import (
    characters,
    emoji_files,
    font_files,
    image_functions,
    require_augly,
)
from homing.edits._replacements import overlay_text, perspective, screenshot, shuffle_pixels
from homing.errors import PictureError

_Operation: TypeAlias = Callable[[Image.Image, np.random.Generator], Image.Image]

_COUNTS = (0.1, 0.2, 0.3, 0.4)  # probability of one, two, three, four groups


def random_mix(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Apply one edit of each of one to four groups.

    One, two, three or four groups have probability .1, .2, .3, .4; in each, one edit is drawn
    uniformly. They are applied in the order drawn, except that a crop goes first and a palette
    last. The result has any size. Raises `UsageError` without AugLy.
    """
    require_augly()
    for operation in _chain(generator):
        image = operation(image, generator)
    return image


def _chain(generator: np.random.Generator) -> list[_Operation]:
    """Draw the operations of one random edit, in the order of application."""
    count = 1 + int(generator.choice(len(_COUNTS), p=_COUNTS))
    groups = list(GROUPS.values())
    chosen = []
    for index in generator.permutation(len(groups))[:count]:
        operations = groups[index]
        chosen.append(operations[int(generator.integers(len(operations)))])
    rank = {_crop: -1, _palette: 1}
    return sorted(chosen, key=lambda operation: rank.get(operation, 0))  # stable


def _uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return float(generator.uniform(low, high))


def _colour(generator: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = generator.integers(256, size=3).tolist()
    return red, green, blue


# ---- colour


def _brightness(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    edited: Image.Image = image_functions().brightness(image, factor=_uniform(generator, 0.1, 1.9))
    return edited


def _grey(image: Image.Image, _generator: np.random.Generator) -> Image.Image:
    edited: Image.Image = image_functions().grayscale(image)
    return edited


def _saturation(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    edited: Image.Image = image_functions().saturation(image, factor=_uniform(generator, 2, 5))
    return edited


# ---- overlay


def _emoji(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    files = emoji_files()
    edited: Image.Image = image_functions().overlay_emoji(
        image,
        emoji_path=str(files[int(generator.integers(len(files)))]),
        x_pos=_uniform(generator, 0, 0.8),
        y_pos=_uniform(generator, 0, 0.8),
        opacity=_uniform(generator, 0.5, 1),
        emoji_size=_uniform(generator, 0.4, 0.8),
    )
    return edited


def _text(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    fonts = font_files()
    font = fonts[int(generator.integers(len(fonts)))]
    known = characters(font)
    indices = generator.integers(len(known), size=int(generator.integers(5, 16)))
    return overlay_text(
        image,
        "".join(chr(known[index]) for index in indices),
        font=font,
        size=_uniform(generator, 0.1, 0.3),
        colour=_colour(generator),
        place=(_uniform(generator, 0, 0.6), _uniform(generator, 0, 0.6)),
    )


# ---- pixels


def _blur(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    edited: Image.Image = image_functions().blur(image, radius=_uniform(generator, 5, 10))
    return edited


def _palette(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    return image.quantize(int(generator.integers(2, 17))).convert("RGB")


def _jpeg(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    quality = int(generator.integers(5, 26))
    edited: Image.Image = image_functions().encoding_quality(image, quality=quality)
    return edited


def _edges(image: Image.Image, _generator: np.random.Generator) -> Image.Image:
    edited: Image.Image = image_functions().apply_pil_filter(image)  # EDGE_ENHANCE_MORE
    return edited


def _pixelization(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    edited: Image.Image = image_functions().pixelization(image, ratio=_uniform(generator, 0.2, 0.5))
    return edited


def _shuffle(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    return shuffle_pixels(image, _uniform(generator, 0.1, 0.3), generator)


# ---- spatial


def _crop(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    width = _uniform(generator, 0.3, 0.6)
    height = _uniform(generator, 0.3, 0.6)
    left = _uniform(generator, 0, 1 - width)
    upper = _uniform(generator, 0, 1 - height)
    edited: Image.Image = image_functions().crop(
        image, x1=left, y1=upper, x2=left + width, y2=upper + height
    )
    if 0 in edited.size:  # Pillow makes an empty picture of an empty box without complaint
        raise PictureError(
            f"a picture of {image.width}x{image.height} pixels is too small for a random crop: "
            "use a larger one"
        )
    return edited


def _mirror(image: Image.Image, _generator: np.random.Generator) -> Image.Image:
    edited: Image.Image = image_functions().hflip(image)
    return edited


def _aspect(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    ratio = _uniform(generator, 0.5, 2)
    edited: Image.Image = image_functions().change_aspect_ratio(image, ratio=ratio)
    return edited


def _onto_screenshot(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    name = ("mobile.png", "web.png")[int(generator.integers(2))]
    return screenshot(image, name, crop=True)


def _square(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    edited: Image.Image = image_functions().pad_square(image, color=_colour(generator))
    return edited


def _perspective(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    return perspective(image, _uniform(generator, 30, 60), generator)


def _rotation(image: Image.Image, generator: np.random.Generator) -> Image.Image:
    degrees = _uniform(generator, -90, 90)
    edited: Image.Image = image_functions().rotate(image, degrees=degrees)
    return edited


GROUPS: Mapping[str, tuple[_Operation, ...]] = MappingProxyType(
    {
        "colour": (_brightness, _grey, _saturation),
        "overlay": (_emoji, _text),
        "pixels": (_blur, _palette, _jpeg, _edges, _pixelization, _shuffle),
        "spatial": (
            _crop,
            _mirror,
            _aspect,
            _onto_screenshot,
            _square,
            _perspective,
            _rotation,
        ),
    }
)
"""The operations that :func:`random_mix` draws from, by group."""
