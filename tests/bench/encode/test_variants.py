"""Variants of pictures, made once for all encoders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from homing.bench.encode.hashes import hash_of
from homing.bench.encode.variants import (
    Copy,
    Crop,
    Task,
    Whole,
    crop_box,
    crop_image,
    make_variants,
)
from homing.edits import PAPER, make_edit
from homing.errors import PictureError
from homing.images import read_rgb, read_squashed, squash

HALF = next(edit for edit in PAPER if edit.name == "crop 0.5")


RANDOM = next(edit for edit in PAPER if edit.random)


def test_every_encoder_gets_the_same_edited_picture(files):
    crop, copy = Crop((1, 2)), Copy(RANDOM, (3, 4))
    made = make_variants(Task(files[0], "0", (Whole(), crop, copy)), (32, 48, "dHash"))
    assert made.reasons == (None, None, None)
    image = read_rgb(files[0])
    edited = RANDOM.apply(image, np.random.default_rng((3, 4)))
    for size in (32, 48):
        assert (made.arrays[size][0] == read_squashed(files[0], size)).all()
        assert (made.arrays[size][1] == squash(crop_image(image, crop), size)).all()
        assert (made.arrays[size][2] == squash(edited, size)).all()
    assert (made.arrays["dHash"][2] == hash_of("dHash", edited)).all()
    assert (made.arrays["dHash"][0] == hash_of("dHash", image)).all()


def _fails(image, generator):
    raise PictureError("no such edit")


def test_an_edit_that_raises_is_an_error_and_never_the_unedited_picture(files):
    fails = Copy(make_edit("fails", _fails), ())
    made = make_variants(Task(files[0], "0", (Whole(), fails, Copy(HALF, ()))), (32, "pHash"))
    assert made.reasons == (None, "no such edit", None)
    assert not made.arrays[32][1].any()
    assert not made.arrays["pHash"][1].any()
    assert made.arrays[32][2].any()


def test_a_file_that_cannot_be_read_fails_in_all_its_rows(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    for wants in ((32,), (32, "PDQ")):
        made = make_variants(Task(tmp_path / "broken.jpg", "b", (Whole(), Crop((1,)))), wants)
        assert len(made.reasons) == 2
        assert all(made.reasons)


def test_reading_at_full_size_turns_upright_and_lays_alpha_over_white(tmp_path, make_noise):
    image = make_noise(0, (60, 40))
    exif = Image.Exif()
    exif[274] = 6
    image.save(tmp_path / "turned.png", exif=exif)
    found = read_rgb(tmp_path / "turned.png")
    assert (found.size, found.mode) == ((40, 60), "RGB")
    assert (np.asarray(found) == np.rot90(np.asarray(image), -1)).all()
    Image.new("RGBA", (9, 7), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert read_rgb(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
    image.resize((2000, 1400)).save(tmp_path / "large.jpg")
    assert read_rgb(tmp_path / "large.jpg").size == (2000, 1400)
    with pytest.raises(PictureError, match="no such file"):
        read_rgb(tmp_path / "missing.png")


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 10**6))
def test_crops_are_parts_of_the_stated_area(width, height, seed):
    left, upper, right, lower = crop_box(width, height, np.random.default_rng(seed))
    assert 0 <= left < right <= width
    assert 0 <= upper < lower <= height
    if min(width, height) > 100:
        assert 0.25 < (right - left) * (lower - upper) / (width * height) < 0.92
