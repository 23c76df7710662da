"""Bombs: a decoder's time is in proportion to the picture, and ordinary files pass.

Of JPEGs see images/formats/jpeg_work.
"""

import contextlib
import io
import runpy
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import homing
from homing.images import read_picture, read_squashed
from homing.options import Limits
from tests.helpers.picture_files import scene

BOMBS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "_bombs.py"))
LIMITS = Limits(max_pixels=25_000_000, max_bytes=16 << 20)
SECONDS = 5  # on a busy machine; without the counts some take a minute


def test_a_bomb_takes_no_longer_than_a_picture():
    for name, data in BOMBS["bombs"]((2000,)):
        for read in (partial(read_squashed, size=64), read_picture):
            begun = time.monotonic()
            with contextlib.suppress(homing.PictureError):
                read(data, limits=LIMITS)
            assert time.monotonic() - begun < SECONDS, name


@pytest.mark.parametrize("scans", [100, 3000])
def test_scans_beyond_the_work_that_pixels_need_are_refused(scans):
    data = BOMBS["scans_jpeg"](3000, scans)
    with pytest.raises(homing.PictureError, match="scans"):
        read_picture(data)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_ordinary_progressive_files_pass(mode, subsampling):
    image = Image.fromarray(scene(700, 900)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, "JPEG", progressive=True, subsampling=subsampling, quality=95)
    data = stream.getvalue()
    assert data.count(b"\xff\xda") > 3
    assert read_picture(data).progressive
    # Small pictures may have many scans.
    read_picture(BOMBS["scans_jpeg"](200, 900))


def test_a_tall_picture_in_strips_of_one_row_passes():
    image = Image.fromarray(np.zeros((30_000, 8), np.uint8))
    stream = io.BytesIO()
    image.save(stream, "TIFF", compression="tiff_lzw", strip_size=8)
    assert read_picture(stream.getvalue()).height == 30_000


def test_a_gif_keeps_its_clear_colour_without_its_comments():
    image = Image.fromarray((np.indices((16, 16)).sum(0) % 2).astype(np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 0, 255])
    stream = io.BytesIO()
    image.save(stream, "GIF", transparency=1, comment=b"!\xf9\x04 a comment")
    square = read_squashed(stream.getvalue(), 16)
    assert square[0, 0].tolist() == [255, 0, 0]
    assert square[0, 1].tolist() == [255, 255, 255]


def test_a_bitmap_in_runs_is_small():
    head = b"BM" + bytes(28) + b"\1"
    with pytest.raises(homing.PictureError, match="in runs"):
        read_squashed(head.ljust(5 << 20, b"\1"), 16)
