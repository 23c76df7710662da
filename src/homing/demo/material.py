"""Pictures of the demonstration: photographs that ship with homing, and a generated background."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from homing.demo.generated import generated_picture

#: ``SOURCES.txt`` in it says where the pictures are from.
_BUNDLED = Path(__file__).with_name("pictures")


def copy_bundled_pictures(folder: Path) -> None:
    """Copy the pictures that ship with homing into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(_BUNDLED.iterdir()):
        if path.suffix in (".png", ".jpg"):
            shutil.copyfile(path, folder / path.name)


def write_background(
    folder: Path, count: int, *, seed: int, progress: Callable[[int], None] | None = None
) -> None:
    """Write generated pictures as JPEG files, each drawn from the seed and its number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture = generated_picture(np.random.default_rng([seed, number]))
        picture.save(folder / f"generated-{number:05d}.jpg", quality=90)
        if progress is not None:
            progress(1)
