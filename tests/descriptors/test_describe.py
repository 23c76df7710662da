import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from homing.descriptors import descriptor_from_callable
from homing.errors import PictureError, UsageError
from homing.images import read_squashed, squash
from homing.options import Limits


@st.composite
def pictures(draw):
    width, height = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    mode = draw(st.sampled_from(["RGB", "L", "RGBA", "CMYK", "P"]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    bands = Image.new(mode, (1, 1)).getbands()
    pixels = generator.integers(0, 256, (height, width, len(bands)), dtype=np.uint8)
    image = Image.frombytes(mode, (width, height), pixels.tobytes())
    if mode == "P":
        image.putpalette(generator.integers(0, 256, 768, dtype=np.uint8).tobytes())
    if draw(st.booleans()):
        image.getexif()[0x0112] = draw(st.integers(1, 8))
    return image


@settings(max_examples=25, deadline=None)
@given(pictures())
def test_a_picture_is_described_by_its_squash(homing_s, image):
    pixels = squash(image, 160)
    described = homing_s.describe([image])
    np.testing.assert_array_equal(described, homing_s.describe([pixels]))
    np.testing.assert_array_equal(described, homing_s.describe_squashed(pixels[None]))


def encoded(seed, kind="PNG"):
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def test_files_bytes_pictures_and_arrays_give_the_same(homing_s, tmp_path):
    data = encoded(1)
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    forms = [path, str(path), data, Image.open(path), read_squashed(path, 160)]
    vectors = homing_s.describe(forms)
    assert vectors.shape == (5, 256)
    assert vectors.dtype == np.float32
    for vector in vectors[1:]:
        np.testing.assert_array_equal(vector, vectors[0])


def mean_colour():
    return descriptor_from_callable(
        lambda b: b.mean(dim=(2, 3)) + 0.1, name="colours", dimension=3, input_size=8
    )


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 50])
def test_any_number_in_order(count):
    files = [encoded(seed) for seed in range(count)]
    vectors = mean_colour().describe(files)
    assert vectors.shape == (count, 3)
    assert vectors.dtype == np.float32
    pixels = [read_squashed(file, 8) for file in files]
    if count:
        expected = np.stack(pixels).mean(axis=(1, 2)) / 255 + 0.1
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"this is text")
    with pytest.raises(PictureError, match=r"bad\.png"):
        mean_colour().describe([encoded(1), bad])
    with pytest.raises(PictureError):
        mean_colour().describe([encoded(1)], limits=Limits(max_pixels=100))


def test_arrays_of_the_wrong_size_are_refused():
    with pytest.raises(UsageError, match="8"):
        mean_colour().describe([np.zeros((9, 8, 3), np.uint8)])
    with pytest.raises(UsageError, match="float64"):
        mean_colour().describe([np.zeros((8, 8, 3))])


def test_no_pictures(homing_s):
    assert homing_s.describe([]).shape == (0, 256)
    assert homing_s.describe_squashed(np.empty((0, 160, 160, 3), np.uint8)).shape == (0, 256)


def test_read_only_arrays_are_taken(homing_s, squashed):
    frozen = squashed[:1].copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(
        homing_s.describe_squashed(frozen), homing_s.describe_squashed(squashed[:1])
    )
