"""Pictures of the demonstration: those that scikit-image ships, and a generated background."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import skimage

from homing.demo.generated import generated_picture
from homing.errors import UsageError

#: Files of ``skimage/data`` in its wheel; its LICENSE.txt has their licences.
_BUNDLED = """astronaut.png brick.png camera.png cell.png chelsea.png clock_motion.png coffee.png
coins.png grass.png gravel.png hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png page.png
retina.jpg rocket.jpg text.png"""


def copy_bundled_pictures(folder: Path) -> None:
    """Copy scikit-image's pictures into a folder; a `UsageError` if it ships none."""
    folder.mkdir(parents=True, exist_ok=True)
    data = Path(skimage.__file__).parent / "data"
    found = [data / name for name in _BUNDLED.split() if (data / name).is_file()]
    if not found:
        raise UsageError(
            f"the installed scikit-image ships no pictures in {data}; "
            "name a folder of your own with --photos"
        )
    for path in found:
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
