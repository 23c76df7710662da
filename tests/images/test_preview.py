"""Previews of pictures: their size, their form, and the read that they share with descriptions."""

import io

import numpy as np
import pytest
from PIL import Image

from homing.errors import PictureError
from homing.images.preview import (
    is_preview,
    preview_of,
    read_as_preview,
    read_preview,
)
from homing.images.read_small import read_fitted, read_for_description, read_rgb, read_squashed
from tests.helpers.picture_files import exif, saved, scene
from tests.helpers.pictures import decibels, picture


def size_of(preview: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(preview)).size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("size", "wanted"),
    [((1000, 500), (480, 240)), ((500, 1001), (240, 480)), ((64, 48), (64, 48)), ((900, 1), None)],
)
def test_a_preview_is_fitted_and_never_enlarged(kind, size, wanted):
    data = saved(picture(3, size), kind)
    preview = read_as_preview(data, 480)
    assert is_preview(preview)
    assert size_of(preview) == (wanted or (480, 1))
    shown = np.asarray(read_rgb(data).resize(size_of(preview), Image.Resampling.BILINEAR))
    assert decibels(np.asarray(read_preview(preview)), shown) > 28


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_preview_is_upright(orientation):
    data = saved(Image.fromarray(scene(600, 920)), "JPEG", exif=exif(orientation), quality=95)
    shown = read_preview(read_as_preview(data, 240))
    assert shown.size == ((240, 157) if orientation < 5 else (157, 240))
    whole = np.asarray(read_rgb(data).resize(shown.size, Image.Resampling.BILINEAR))
    assert decibels(np.asarray(shown), whole) > 25


def test_alpha_lies_over_white():
    clear = Image.new("RGBA", (40, 30), (200, 0, 0, 0))
    assert np.asarray(read_preview(read_as_preview(saved(clear, "PNG"), 480))).min() > 250
    assert np.asarray(read_preview(preview_of(clear, 20))).min() > 250


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [(64, 48), (300, 200), (801, 601), (2000, 1500)])
def test_the_descriptors_input_is_the_same_with_a_preview(kind, size):
    data = saved(picture(5, size), kind)
    read = read_for_description(data, 64, longer=480)
    assert np.array_equal(read.pixels, read_squashed(data, 64))
    assert read.fitted is not None
    assert max(read.fitted.size) == min(480, max(size))
    if kind != "JPEG":
        assert np.array_equal(np.asarray(read.fitted), np.asarray(read_fitted(data, 480)))
    assert read_for_description(data, 64).fitted is None


@pytest.mark.photos
def test_a_photograph_takes_some_16_kilobytes(photos):
    files = sorted((photos / "dev").iterdir())[:60]
    assert sum(len(read_as_preview(file, 480)) for file in files) < 60 * 17_000


def test_damage_is_seen():
    preview = preview_of(picture(1), 480)
    for wrong in (b"", preview[:-1], preview + b"x", saved(picture(1), "PNG")):
        assert not is_preview(wrong)
        with pytest.raises(PictureError):
            read_preview(wrong)
    with pytest.raises(PictureError):
        read_preview(preview[:20] + bytes(len(preview) - 20))
