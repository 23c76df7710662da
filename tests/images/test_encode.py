"""Encoding of pixels: wrong arguments, kinds that cannot hold a picture, round trips.

The ladders and the pixels of each kind are tested in tests/images/formats.
"""

import imagecodecs
import numpy as np
import pytest

from homing.errors import PictureError, UsageError
from homing.images import decode_pixels, encode, encodings, read_picture, round_trip
from tests.helpers.picture_files import noise, saved, scene


def test_wrong_pixels_and_kinds_are_wrong_use() -> None:
    picture = read_picture(saved(scene(16, 16), "JPEG"))
    best = encodings(picture)[-1]
    with pytest.raises(UsageError, match="alike"):
        encode(picture, picture.pixels[:-1], encoding=best)
    with pytest.raises(UsageError, match="alike"):
        encode(picture, picture.pixels.astype(np.uint16), encoding=best)
    with pytest.raises(UsageError, match="does not write"):
        encode(picture, picture.pixels, encoding=best, kind="PNG")
    with pytest.raises(UsageError, match="choose JPEG"):
        encodings(picture, "GIF")


def test_a_part_makes_the_round_trip_as_in_the_whole_file() -> None:
    picture = read_picture(saved(scene(64, 50), "JPEG", quality=90, subsampling=0))
    for encoding in encodings(picture):
        whole = decode_pixels(encode(picture, picture.pixels, encoding=encoding))
        rows = np.r_[8:24, 40:48]  # blocks are coded independently
        assert np.array_equal(round_trip(picture.pixels[rows], encoding), whole[rows])


def test_round_trips_are_made_by_jpeg_alone() -> None:
    pixels = scene(16, 16)
    (png,) = encodings(read_picture(saved(pixels, "PNG")))
    assert np.array_equal(round_trip(pixels, png), pixels)
    webp = encodings(read_picture(saved(pixels, "WEBP", quality=80)))[0]
    with pytest.raises(UsageError, match="WebP"):
        round_trip(pixels, webp)


def test_a_wide_png_keeps_out_of_jpeg_and_webp() -> None:
    wide = read_picture(bytes(imagecodecs.png_encode(noise(9, 13, 3, "u2"))))
    clear = read_picture(saved(noise(9, 13, 4), "PNG"))
    for kind in ("JPEG", "WEBP"):
        with pytest.raises(PictureError, match="16 bits"):
            encodings(wide, kind)
    with pytest.raises(PictureError, match="transparency"):
        encodings(clear, "JPEG")
    for kind in ("WEBP", "TIFF"):
        written = encode(clear, clear.pixels, encoding=encodings(clear, kind)[-1])
        after = read_picture(written)
        assert np.array_equal(after.pixels, clear.pixels)
        assert np.array_equal(after.alpha, clear.alpha)
