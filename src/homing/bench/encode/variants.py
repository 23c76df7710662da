"""Pictures, crops and edited copies of them, made in worker processes.

Pillow and AugLy hold the interpreter's lock for much of an edit, so threads would not keep the
cores busy. What comes back from a process is small: each copy squashed to the sizes that the
descriptors want, and its hashes, all made of the same edited picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from homing.bench.encode.definitions import definition_of
from homing.bench.encode.hashes import HASHES, hash_of
from homing.edits import Edit
from homing.errors import PictureError
from homing.images import read_rgb, read_squashed, shown, squash
from homing.options import DEFAULT_LIMITS, Limits

#: What an encoder wants of each copy: the side of a square, or the name of a hash.
Want: TypeAlias = int | str

_LEAST_AREA, _MOST_AREA = 0.3, 0.9  # of a crop, in shares of the picture
_ASPECT = 0.3  # a crop's aspect differs from the picture's by a factor of exp(±0.3)


@dataclass(frozen=True)
class Whole:
    """The picture as it is recorded."""

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells recipes apart across runs."""
        return ("whole",)


@dataclass(frozen=True)
class Crop:
    """A random part of the picture, 30 to 90 % of its area; the seed says which."""

    seed: tuple[int, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells recipes apart across runs."""
        return ("crop", *self.seed)


@dataclass(frozen=True)
class Copy:
    """The picture under an edit; the seed is that of the edit's generator."""

    edit: Edit
    seed: tuple[int, ...]

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells recipes apart across runs: a user's own edit also by its code."""
        definition = definition_of(self.edit.apply, ("homing.edits",))
        return ("edit", self.edit.name, definition, *(self.seed if self.edit.random else ()))


Recipe: TypeAlias = Whole | Crop | Copy


@dataclass(frozen=True)
class Task:
    """What is to be made of one file.

    Attributes
    ----------
    path : Path
    name : str
        What reports call it.
    recipes : tuple of Recipe
        One row each.
    """

    path: Path
    name: str
    recipes: tuple[Recipe, ...]

    @property
    def file_key(self) -> tuple[Any, ...]:
        """Tells files apart across runs: path, size in bytes, time of the last change."""
        path = shown(self.path.absolute())
        try:
            status = self.path.stat()
        except OSError:
            return (path, -1, -1)
        return (path, status.st_size, status.st_mtime_ns)

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells tasks apart across runs: the file and the recipes."""
        return (*self.file_key, tuple(recipe.key for recipe in self.recipes))


@dataclass(frozen=True, eq=False)
class Made:
    """What became of a task.

    Attributes
    ----------
    arrays : mapping
        For each want the rows of all recipes: (n, S, S, 3) or (n, bytes), uint8; zero where a
        recipe failed.
    reasons : tuple of (str or None)
        For each recipe why it failed; None where it did not.
    """

    arrays: Mapping[Want, npt.NDArray[np.uint8]]
    reasons: tuple[str | None, ...]


def crop_box(width: int, height: int, generator: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw a part of a picture.

    Parameters
    ----------
    width, height : int
        Of the picture, pixels.
    generator : numpy.random.Generator

    Returns
    -------
    tuple of int
        Left, upper, right and lower edge.
    """
    area = generator.uniform(_LEAST_AREA, _MOST_AREA)
    aspect = np.exp(generator.uniform(-_ASPECT, _ASPECT))
    across = max(1, round(width * min(1.0, np.sqrt(area * aspect))))
    down = max(1, round(height * min(1.0, np.sqrt(area / aspect))))
    left = int(generator.integers(width - across + 1))
    top = int(generator.integers(height - down + 1))
    return left, top, left + across, top + down


def cropped(image: Image.Image, crop: Crop) -> Image.Image:
    """Cut out what the crop's seed says."""
    return image.crop(crop_box(image.width, image.height, np.random.default_rng(crop.seed)))


def make(task: Task, wants: tuple[Want, ...], limits: Limits = DEFAULT_LIMITS) -> Made:
    """Read a file and make all its variants.

    Parameters
    ----------
    task : Task
    wants : tuple of Want
    limits : Limits
        The most that is decoded.

    Returns
    -------
    Made
    """
    arrays = {want: np.zeros((len(task.recipes), *_shape(want)), np.uint8) for want in wants}
    reasons: list[str | None] = []
    try:
        image = read_rgb(task.path, limits=limits) if _needs_pixels(task, wants) else None
    except PictureError as error:
        return Made(arrays, (str(error),) * len(task.recipes))
    for row, recipe in enumerate(task.recipes):
        try:
            found = _variant(task.path, image, recipe, wants, limits)
        except PictureError as error:
            reasons.append(str(error))
            continue
        reasons.append(None)
        for want, values in found.items():
            arrays[want][row] = values
    return Made(arrays, tuple(reasons))


def _shape(want: Want) -> tuple[int, ...]:
    return (want, want, 3) if isinstance(want, int) else (HASHES[want] // 8,)


def _needs_pixels(task: Task, wants: tuple[Want, ...]) -> bool:
    """Whether the picture has to be decoded at its full size."""
    return any(isinstance(want, str) for want in wants) or any(
        not isinstance(recipe, Whole) for recipe in task.recipes
    )


def _variant(
    path: Path,
    image: Image.Image | None,
    recipe: Recipe,
    wants: tuple[Want, ...],
    limits: Limits,
) -> dict[Want, npt.NDArray[np.uint8]]:
    found: dict[Want, npt.NDArray[np.uint8]] = {}
    if isinstance(recipe, Whole):
        for want in wants:
            if isinstance(want, int):  # as an archive would record it, shrunk on reading
                found[want] = read_squashed(path, want, limits=limits)
            elif image is not None:
                found[want] = hash_of(want, image)
        return found
    assert image is not None
    if isinstance(recipe, Crop):
        copy = cropped(image, recipe)
    else:
        copy = recipe.edit.apply(image, np.random.default_rng(recipe.seed))
    for want in wants:
        found[want] = squash(copy, want) if isinstance(want, int) else hash_of(want, copy)
    return found
