"""Descriptors of pictures: the bundled one, and those made of functions.

The preprocessing of pixels is tested by these and by test_custom.
"""

import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from homing.descriptors import descriptor_from_callable
from homing.errors import DescriptorError, PictureError, UsageError
from homing.images import read_squashed, squash
from homing.options import Limits

GOLDEN = json.loads((Path(__file__).parent / "golden_homing_s.json").read_text())


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


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_pictures(homing_s, name):
    picture = Image.fromarray(getattr(skimage.data, name)())
    vector = homing_s.describe([picture])[0]
    np.testing.assert_allclose(vector[:16], GOLDEN[name], atol=1e-3)


def test_vectors_have_unit_length(homing_s, squashed):
    vectors = homing_s.describe_squashed(squashed[:5])
    assert vectors.shape == (5, 256)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)


def test_companions_and_place_change_no_bit(homing_s, squashed):
    whole = homing_s.describe_squashed(squashed, batch=8)
    for part in ([3], [3, 4], [19, 0, 3], list(range(19, -1, -1))):
        again = homing_s.describe_squashed(squashed[part], batch=8, pad=True)
        np.testing.assert_array_equal(again, whole[part])


def test_padding_is_not_described(homing_s, squashed):
    alone = homing_s.describe_squashed(squashed[:1])
    padded = homing_s.describe_squashed(squashed[:1], pad=True)
    assert alone.shape == padded.shape == (1, 256)
    np.testing.assert_allclose(alone, padded, atol=1e-5)


def test_two_threads_get_what_one_gets(homing_s, squashed):
    expected = homing_s.describe_squashed(squashed[:4], batch=4)
    with ThreadPoolExecutor(2) as threads:
        found = list(
            threads.map(lambda _: homing_s.describe_squashed(squashed[:4], batch=4), range(6))
        )
    for vectors in found:
        np.testing.assert_array_equal(vectors, expected)


def test_fingerprint_is_the_same_everywhere(homing_s):
    assert homing_s.fingerprint == (
        "a8f9b85587f3822079444ec3af6b76da2c510df5e5a8689f779a81e9d1b103d5"
    )
    assert homing_s.double().fingerprint == homing_s.fingerprint


def test_is_immutable(homing_s):
    with pytest.raises(AttributeError):
        homing_s.name = "other"
    with pytest.raises(TypeError):
        homing_s.network.weights["trunk.stem.bias"] = torch.zeros(32)


def test_wrong_shapes_are_refused(homing_s):
    with pytest.raises(UsageError, match="160"):
        homing_s.forward(torch.zeros(1, 3, 128, 160))
    with pytest.raises(UsageError, match="float32"):
        homing_s.describe_squashed(np.zeros((1, 160, 160, 3), np.float32))
    with pytest.raises(UsageError, match="at least 1"):
        homing_s.describe_squashed(np.zeros((1, 160, 160, 3), np.uint8), batch=0)


def colours(batch):
    return batch.mean(dim=(2, 3)) + 0.1


def test_a_function(squashed):
    own = descriptor_from_callable(colours, name="colours", dimension=3, input_size=160)
    vectors = own.describe_squashed(squashed)
    means = squashed.astype(np.float64).mean(axis=(1, 2)) / 255 + 0.1
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_a_function_is_named_by_its_maker():
    def made(**changes):
        given = {"name": "colours", "dimension": 3, "input_size": 32, **changes}
        return descriptor_from_callable(colours, **given).fingerprint

    assert made() == made()
    assert len({made(), made(name="c"), made(dimension=4), made(input_size=33)}) == 4
    given = hashlib.sha256(b"weights of march").hexdigest()
    assert made(fingerprint=given) == given


def test_a_function_with_wrong_results_is_refused():
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    own = descriptor_from_callable(colours, name="c", dimension=4, input_size=8)
    with pytest.raises(DescriptorError, match=r"\(1, 3\)"):
        own.describe_squashed(pixels)
    own = descriptor_from_callable(
        lambda b: colours(b) * float("nan"), name="c", dimension=3, input_size=8
    )
    with pytest.raises(DescriptorError, match="not finite"):
        own.describe_squashed(pixels)
    with pytest.raises(DescriptorError, match="dimension"):
        descriptor_from_callable(colours, name="c", dimension=0, input_size=8)
    with pytest.raises(DescriptorError, match="input size"):
        descriptor_from_callable(colours, name="c", dimension=3, input_size=0)
