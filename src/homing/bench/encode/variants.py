"""Variants of pictures: crops and edited copies, made in worker processes.

Pillow and AugLy hold the interpreter's lock for much of an edit, so threads would not keep the
cores busy. A process returns little: each copy squashed to the sizes that the descriptors need, and
its hashes, all made of the same edited picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from homing.bench.encode.code_checksum import function_checksum
from homing.bench.encode.hashes import HASHES, hash_of
from homing.edits import Edit
from homing.errors import PictureError
from homing.images import read_rgb, read_squashed, shown, squash
from homing.options import DEFAULT_LIMITS, Limits

#: What an encoder inputs of each copy: the side of a square, or the name of a hash.
EncoderInput: TypeAlias = int | str

_LEAST_AREA, _MOST_AREA = 0.3, 0.9  # of a crop, in shares of the picture
_ASPECT = 0.3  # a crop's aspect differs from the picture's by a factor of exp(±0.3)


@dataclass(frozen=True)
class Whole:
    """The picture as it is recorded."""

    @property
    def key(self) -> tuple[Any, ...]:
        """Identifies the recipe across runs."""
        return ("whole",)


@dataclass(frozen=True)
class Crop:
    """A random part of the picture, 30 to 90 % of its area, drawn by the seed."""

    seed: tuple[int, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """Identifies the recipe across runs."""
        return ("crop", *self.seed)


@dataclass(frozen=True)
class Copy:
    """The picture under an edit, with the seed of the edit's generator."""

    edit: Edit
    seed: tuple[int, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """Identifies the recipe across runs: a user's own edit also by its code."""
        definition = function_checksum(self.edit.apply, ("homing.edits",))
        return ("edit", self.edit.name, definition, *(self.seed if self.edit.random else ()))


Recipe: TypeAlias = Whole | Crop | Copy


@dataclass(frozen=True)
class Task:
    """A file, and the recipes of the variants to make of it, one row each."""

    path: Path
    name: str  # in reports
    recipes: tuple[Recipe, ...]

    @property
    def file_key(self) -> tuple[Any, ...]:
        """Identifies the file across runs: path, size in bytes, time of the last change."""
        path = shown(self.path.absolute())
        try:
            status = self.path.stat()
        except OSError:
            return (path, -1, -1)
        return (path, status.st_size, status.st_mtime_ns)

    @property
    def key(self) -> tuple[Any, ...]:
        """Identifies the task across runs: the file and the recipes."""
        return (*self.file_key, tuple(recipe.key for recipe in self.recipes))


@dataclass(frozen=True, eq=False)
class Variants:
    """Rows made by a task."""

    arrays: Mapping[EncoderInput, npt.NDArray[np.uint8]]  # (n, S, S, 3) or (n, bytes); 0 if failed
    reasons: tuple[str | None, ...]  # why a recipe failed; None where it did not


def crop_box(width: int, height: int, generator: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw a part of a picture: left, upper, right and lower edge, in pixels."""
    area = generator.uniform(_LEAST_AREA, _MOST_AREA)
    aspect = np.exp(generator.uniform(-_ASPECT, _ASPECT))
    across = max(1, round(width * min(1.0, np.sqrt(area * aspect))))
    down = max(1, round(height * min(1.0, np.sqrt(area / aspect))))
    left = int(generator.integers(width - across + 1))
    top = int(generator.integers(height - down + 1))
    return left, top, left + across, top + down


def crop_image(image: Image.Image, crop: Crop) -> Image.Image:
    """Cut out the part that the crop's seed draws."""
    return image.crop(crop_box(image.width, image.height, np.random.default_rng(crop.seed)))


def make_variants(
    task: Task, inputs: tuple[EncoderInput, ...], limits: Limits = DEFAULT_LIMITS
) -> Variants:
    """Read a file and make all its variants."""
    arrays = {each: np.zeros((len(task.recipes), *_shape(each)), np.uint8) for each in inputs}
    reasons: list[str | None] = []
    try:
        image = read_rgb(task.path, limits=limits) if _needs_pixels(task, inputs) else None
    except PictureError as error:
        return Variants(arrays, (str(error),) * len(task.recipes))
    for row, recipe in enumerate(task.recipes):
        try:
            found = _variant(task.path, image, recipe, inputs, limits)
        except PictureError as error:
            reasons.append(str(error))
            continue
        reasons.append(None)
        for each, values in found.items():
            arrays[each][row] = values
    return Variants(arrays, tuple(reasons))


def _shape(each: EncoderInput) -> tuple[int, ...]:
    return (each, each, 3) if isinstance(each, int) else (HASHES[each] // 8,)


def _needs_pixels(task: Task, inputs: tuple[EncoderInput, ...]) -> bool:
    """Return whether the picture has to be decoded at its full size."""
    return any(isinstance(each, str) for each in inputs) or any(
        not isinstance(recipe, Whole) for recipe in task.recipes
    )


def _variant(
    path: Path,
    image: Image.Image | None,
    recipe: Recipe,
    inputs: tuple[EncoderInput, ...],
    limits: Limits,
) -> dict[EncoderInput, npt.NDArray[np.uint8]]:
    found: dict[EncoderInput, npt.NDArray[np.uint8]] = {}
    if isinstance(recipe, Whole):
        for each in inputs:
            if isinstance(each, int):  # as an archive would record it, shrunk on reading
                found[each] = read_squashed(path, each, limits=limits)
            elif image is not None:
                found[each] = hash_of(each, image)
        return found
    assert image is not None
    if isinstance(recipe, Crop):
        copy = crop_image(image, recipe)
    else:
        copy = recipe.edit.apply(image, np.random.default_rng(recipe.seed))
    for each in inputs:
        found[each] = squash(copy, each) if isinstance(each, int) else hash_of(each, copy)
    return found
