"""Damaged files of every kind, across modules: reading and writing them.

Any bytes raise a PictureError or can be read and written, without a warning. The
tests in formats/ are those of picture.
"""

import contextlib
import zlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from homing.errors import PictureError
from homing.images import Picture, encode, encodings, read_picture, read_squashed
from homing.images.formats.jpeg import parse_jpeg
from homing.images.formats.jpeg_coefficients import read_coefficients, write_coefficients
from homing.options import Limits
from tests.helpers.boxed import boxed_jxl
from tests.helpers.picture_files import (
    PROFILE,
    XMP,
    exif,
    interlaced_png,
    noise,
    saved,
    scene,
    tiff,
)

LIMITS = Limits(max_pixels=1_000_000, max_bytes=2**22)
SECOND = Image.fromarray(scene(24, 32) ^ 255)
RICH = {"exif": exif(6), "icc_profile": PROFILE[:300]}
SEEDS = (
    saved(scene(24, 32), "JPEG", xmp=XMP, **RICH),
    saved(scene(24, 32), "JPEG", progressive=True),
    saved(Image.fromarray(scene(24, 32)).convert("CMYK"), "JPEG"),
    saved(scene(24, 32), "MPO", save_all=True, append_images=[SECOND]),
    saved(scene(24, 32), "PNG", **RICH),
    saved(Image.fromarray(scene(24, 32)).quantize(8), "PNG", transparency=1),
    saved(noise(24, 32, 1), "PNG", transparency=7),
    bytes(imagecodecs.png_encode(noise(24, 32, 4, "u2"))),
    saved(scene(24, 32), "PNG", save_all=True, append_images=[SECOND]),
    interlaced_png(scene(24, 32), depth=8, colour=2),
    saved(scene(24, 32), "WEBP", xmp=XMP, **RICH),
    saved(scene(24, 32, 4), "WEBP", lossless=True),
    saved(scene(24, 32), "WEBP", save_all=True, append_images=[SECOND]),
    saved(scene(24, 32), "TIFF", compression="tiff_lzw", **RICH),
    saved(scene(24, 32), "TIFF", save_all=True, append_images=[SECOND]),
    saved(Image.fromarray(scene(24, 32)).quantize(8), "TIFF", compression="packbits"),
    saved(Image.fromarray(scene(24, 32)).convert("CMYK"), "TIFF"),
    tiff(noise(24, 32, 3, "u2"), photometric="rgb", tile=(16, 16), compression="zlib"),
    saved(scene(24, 32), "GIF", save_all=True, append_images=[SECOND]),
    saved(scene(24, 32), "BMP"),
    saved(scene(24, 32), "JPEG2000"),
    saved(scene(24, 32), "AVIF", xmp=XMP, **RICH),
    saved(scene(24, 32, 4), "AVIF"),
    saved(scene(24, 32), "AVIF", save_all=True, append_images=[SECOND]),
    bytes(imagecodecs.avif_encode(noise(24, 32, 3, "u2") >> 6, level=95, bitspersample=10)),
    bytes(imagecodecs.jpegxl_encode(scene(24, 32), distance=1)),
    bytes(imagecodecs.jpegxl_encode(noise(24, 32, 4, "u2"), lossless=True)),
    boxed_jxl(bytes(imagecodecs.jpegxl_encode(scene(24, 32), lossless=True)), (b"xml ", XMP)),
    tiff(scene(24, 32) / np.float32(255), photometric="rgb", compression="zlib", predictor=3),
    tiff(scene(24, 32), photometric="rgb", bigtiff=True, compression="lzw"),
)


def with_checksums(data: bytes) -> bytes:
    """Correct a PNG's checksums, so that the changed bytes reach the decoder."""
    out, at = data[:8], 8
    while at + 12 <= len(data) and at + 12 + (n := int.from_bytes(data[at : at + 4], "big")) <= len(
        data
    ):
        body = data[at + 4 : at + 8 + n]
        out += data[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big")
        at += n + 12
    return out + data[at:]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    png = data[:4] == b"\x89PNG"
    near = st.integers(0, min(250, len(data) - 1))
    far = st.integers(0, len(data) - 1)
    # The header, and the directory at the end of a TIFF, are damaged more often.
    place = st.one_of(near, far, near.map(lambda at: len(data) - 1 - at))
    for at in draw(st.lists(place, max_size=8)):
        data[at] = draw(st.one_of(st.sampled_from([0, 1, 127, 128, 255]), st.integers(0, 255)))
    if draw(st.booleans()):
        cut = draw(far)
        del data[cut : cut + draw(st.integers(1, 12))]
    if draw(st.integers(0, 3)) == 0:
        del data[draw(far) :]
    return with_checksums(bytes(data)) if png and draw(st.booleans()) else bytes(data)


def check(data: bytes) -> None:
    with contextlib.suppress(PictureError):
        assert read_squashed(data, 16, limits=LIMITS).shape == (16, 16, 3)
    try:
        picture = read_picture(data, limits=LIMITS)
    except PictureError:
        return
    if picture.kind == "JPEG":
        check_coefficients(picture)
    if picture.inks:
        return
    written = encode(picture, picture.pixels, encoding=encodings(picture)[-1])
    after = read_picture(written, limits=LIMITS)
    assert (after.kind, after.orientation) == (picture.kind, picture.orientation)
    assert after.pixels.shape == picture.pixels.shape
    if not encodings(picture)[-1].lossy:
        assert np.array_equal(after.pixels, picture.pixels)
        assert picture.alpha is None or np.array_equal(after.alpha, picture.alpha)


def check_coefficients(picture: Picture) -> None:
    try:
        found = read_coefficients(picture.encoded, parse_jpeg(picture.encoded, LIMITS))
    except PictureError:
        return
    after = read_picture(write_coefficients(picture.encoded, found), limits=LIMITS)
    assert np.array_equal(after.pixels, picture.pixels)


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_seeds_are_sound(number: int) -> None:
    assert read_squashed(SEEDS[number], 16, limits=LIMITS).any()


@given(damaged())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_damaged_files(data: bytes) -> None:
    check(data)


@given(st.sampled_from([seed[:16] for seed in SEEDS]), st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_bytes_behind_a_true_beginning(head: bytes, rest: bytes) -> None:
    check(head + rest)


@given(st.binary(max_size=60))
@settings(max_examples=50, deadline=None)
def test_any_bytes(data: bytes) -> None:
    check(data)


@pytest.mark.parametrize("number", range(len(SEEDS)))
def test_every_truncation_is_refused_or_read_by_both(number: int) -> None:
    data = SEEDS[number]
    for end in range(0, len(data), max(1, len(data) // 60)):
        try:
            read_picture(data[:end], limits=LIMITS)
        except PictureError:
            continue
        assert read_squashed(data[:end], 16, limits=LIMITS).any()
