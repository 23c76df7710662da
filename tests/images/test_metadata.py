"""Metadata carried into another kind.

Manifest stores are tested in tests/c2pa, metadata within one kind in tests/images/formats.
"""

import io

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from homing.images import encode, encodings, read_picture
from tests.helpers.picture_files import (
    IPTC,
    PROFILE,
    XMP,
    opened,
    rich_jpeg,
    rich_png,
    saved,
    scene,
)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_other_kinds_carry_exif_profile_and_xmp(kind: str) -> None:
    picture = read_picture(rich_jpeg(orientation=8))
    written = encode(picture, picture.pixels, encoding=encodings(picture, kind)[-1])
    after = read_picture(written)
    assert after.kind == kind
    assert np.array_equal(after.pixels, picture.pixels)
    assert after.orientation == 8
    image = opened(written)
    assert image.info["icc_profile"] == PROFILE[:128] + bytes(140_000)
    assert image.info["xmp"] == XMP
    tags = Image.open(io.BytesIO(written)).getexif()
    assert tags[0x010F] == "Camera maker of some length"
    assert tags.get_ifd(0x8769)[0x829A] == (1, 125)
    assert tags.get_ifd(0x8825)[1] == "N"


def test_jpeg_of_a_png_carries_its_metadata() -> None:
    picture = read_picture(rich_png())
    image = Image.open(
        io.BytesIO(encode(picture, picture.pixels, encoding=encodings(picture, "jpg")[0]))
    )
    assert image.info["icc_profile"] == PROFILE
    assert image.info["xmp"] == XMP
    assert image.getexif()[0x0112] == 3
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_jpeg_of_a_tiff_carries_its_metadata() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[271] = "Camera"
    tags[274] = 6
    tags[700] = XMP
    tags[34377] = IPTC
    tags[34665] = {36867: "2025:01:02 03:04:05"}
    picture = read_picture(saved(scene(20, 31), "TIFF", tiffinfo=tags, icc_profile=PROFILE))
    image = Image.open(
        io.BytesIO(encode(picture, picture.pixels, encoding=encodings(picture, "JPEG")[0]))
    )
    assert image.info["icc_profile"] == PROFILE
    assert image.info["xmp"] == XMP
    assert image.info["photoshop"][0x0404] == b"\x1c\x02\x05\0\x04Dune"
    assert image.getexif()[271] == "Camera"
    assert image.getexif()[274] == 6
    assert image.getexif().get_ifd(34665)[36867] == "2025:01:02 03:04:05"
