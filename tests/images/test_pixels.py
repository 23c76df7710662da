"""Orientation applied to pixels."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from homing.images import upright
from tests.helpers.picture_files import noise


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_what_pillow_does(orientation: int) -> None:
    image = Image.fromarray(noise(5, 7))
    image.getexif()[0x0112] = orientation
    assert np.array_equal(
        upright(noise(5, 7), orientation), np.asarray(ImageOps.exif_transpose(image))
    )
