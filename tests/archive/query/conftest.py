"""Photographs to release, and an edited copy of one."""

import pytest
import skimage.data
from PIL import Image, ImageOps

NAMES = ("astronaut", "coffee", "chelsea")


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in NAMES:
        Image.fromarray(getattr(skimage.data, name)()).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def suspect(sources, tmp_path):
    """The left three quarters of the astronaut, mirrored."""
    image = ImageOps.mirror(Image.open(sources / "astronaut.png").crop((0, 0, 384, 512)))
    image.save(tmp_path / "suspect.jpg", quality=80)
    return tmp_path / "suspect.jpg"
