"""Edit operations, against their definitions by loops, scipy or colorsys."""

import colorsys
import io
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from homing.edits import operations
from homing.errors import PictureError, UsageError


def picture(width=37, height=23, seed=0):
    """A picture with both structure and noise."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    wave = 120 + 90 * np.sin(x / 5)[..., None] * np.cos(y / 4)[..., None]
    pixels = wave + generator.normal(0, 25, size=(height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def array(image):
    return np.asarray(image).astype(np.float64)


def test_identity_is_an_equal_copy():
    image = picture()
    edited = operations.identity(image)
    assert edited is not image
    assert np.array_equal(array(edited), array(image))
    edited.putpixel((0, 0), (1, 2, 3))
    assert image.getpixel((0, 0)) != (1, 2, 3)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_brightness_multiplies(factor):
    image = picture()
    expected = np.clip(array(image) * factor, 0, 255)
    assert np.abs(array(operations.brightness(image, factor)) - expected).max() <= 1


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_contrast_moves_from_the_mean_luminance(factor):
    image = picture()
    luminance = np.rint(array(image) @ [0.299, 0.587, 0.114])
    grey = int(luminance.mean() + 0.5)
    expected = np.clip(grey + (array(image) - grey) * factor, 0, 255)
    assert np.abs(array(operations.contrast(image, factor)) - expected).max() <= 1 + factor


@pytest.mark.parametrize("factor", [0.2, -0.3, 0.5])
def test_hue_turns_by_whole_levels(factor):
    image = picture(9, 7)
    edited = array(operations.hue(image, factor)) / 255
    levels = int(factor * 255)
    for y in range(7):
        for x in range(9):
            h, s, v = colorsys.rgb_to_hsv(*(array(image)[y, x] / 255))
            expected = np.array(colorsys.hsv_to_rgb((h + levels / 255) % 1, s, v))
            # 8-bit hue and saturation cost some levels, times the colour's own spread
            assert np.abs(edited[y, x] - expected).max() < 0.04


def test_hue_of_pure_red_by_a_fifth():
    image = Image.new("RGB", (2, 2), (255, 0, 0))
    expected = np.array(colorsys.hsv_to_rgb(51 / 255, 1, 1)) * 255
    assert np.abs(array(operations.hue(image, 0.2))[0, 0] - expected).max() <= 6


@pytest.mark.parametrize(("factor", "level"), [(0.5, 127), (-0.5, 129), (0.2, 51), (-0.1, 231)])
def test_hue_of_pure_red_lands_on_the_level(factor, level):
    planes = [Image.new("L", (2, 2), value) for value in (level, 255, 255)]
    expected = Image.merge("HSV", planes).convert("RGB")
    edited = operations.hue(Image.new("RGB", (2, 2), (255, 0, 0)), factor)
    assert edited.tobytes() == expected.tobytes()


@pytest.mark.parametrize("taps", [1, 3, 11, 29])
@pytest.mark.parametrize("size", [(37, 23), (3, 2), (1, 50), (1, 1), (12, 40)])
def test_blur_is_the_gaussian_with_mirrored_borders(taps, size):
    image = picture(*size)
    sigma = 0.3 * ((taps - 1) / 2 - 1) + 0.8
    offsets = np.arange(taps) - taps // 2
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    expected = np.stack(
        [ndimage.correlate(array(image)[..., c], kernel, mode="mirror") for c in range(3)], axis=-1
    )
    assert np.abs(array(operations.blur(image, taps)) - expected).max() <= 0.501


def test_blur_11_has_sigma_two():
    image = Image.new("RGB", (31, 31))
    image.putpixel((15, 15), (255, 255, 255))
    row = array(operations.blur(image, 11))[15, :, 0]
    assert row[15] == row.max()
    assert np.count_nonzero(row) <= 11
    assert row[15] / row[17] == pytest.approx(math.exp(0.5), rel=0.15)


@pytest.mark.parametrize("quality", [10, 50])
def test_jpeg_is_a_jpeg_of_that_quality(quality):
    image = picture(64, 48)
    expected = io.BytesIO()
    image.save(expected, "JPEG", quality=quality, subsampling="4:2:0")
    edited = operations.jpeg(image, quality)
    assert np.array_equal(array(edited), array(Image.open(io.BytesIO(expected.getvalue()))))
    assert np.abs(array(edited) - array(image)).mean() > 1


def test_rotation_by_90_is_counter_clockwise():
    image = picture()
    assert np.array_equal(array(operations.rotation(image, 90)), np.rot90(array(image)))


def test_rotation_by_25_expands_is_bilinear_and_black_outside():
    image = picture(60, 40)
    edited = array(operations.rotation(image, 25))
    height, width = edited.shape[:2]
    angle = math.radians(25)
    assert abs(width - (60 * math.cos(angle) + 40 * math.sin(angle))) <= 2
    assert abs(height - (60 * math.sin(angle) + 40 * math.cos(angle))) <= 2
    assert not edited[0, 0].any()
    assert not edited[-1, -1].any()
    # Inverse mapping about the centres: a point of the output comes from one turned clockwise.
    y, x = np.mgrid[:height, :width] + 0.5
    u = x - width / 2
    v = y - height / 2
    source_x = u * math.cos(angle) - v * math.sin(angle) + 30 - 0.5
    source_y = u * math.sin(angle) + v * math.cos(angle) + 20 - 0.5
    inside = (source_x > 1) & (source_x < 58) & (source_y > 1) & (source_y < 38)
    for channel in range(3):
        plane = array(image)[..., channel]
        expected = ndimage.map_coordinates(plane, [source_y, source_x], order=1)
        assert np.abs(edited[..., channel] - expected)[inside].max() <= 2
    assert inside.sum() > 1800


def test_crop_keeps_the_central_half_of_the_area():
    image = picture(101, 60)
    edited = operations.crop(image, 0.5)
    assert edited.size == (71, 42)  # int(101 · 0.7071), int(60 · 0.7071)
    assert np.array_equal(array(edited), array(image)[9:51, 15:86])
    assert operations.crop(image, 1.0).size == image.size


def test_resize_is_antialiased_bilinear():
    image = picture(64, 48)
    edited = operations.resize(image, 0.25)
    assert edited.size == (32, 24)
    pixels = array(image)
    # At half size, the triangle of width 2 has taps 1, 3, 3, 1 eighths around each new pixel.
    rows = np.stack([pixels[2 * i - 1 : 2 * i + 3] for i in range(1, 23)])
    rows = np.einsum("t,itxc->ixc", np.array([1, 3, 3, 1]) / 8, rows)
    columns = np.stack([rows[:, 2 * i - 1 : 2 * i + 3] for i in range(1, 31)], axis=1)
    expected = np.einsum("t,ijtc->ijc", np.array([1, 3, 3, 1]) / 8, columns)
    assert np.abs(array(edited)[1:-1, 1:-1] - expected).max() <= 1.01
    assert operations.resize(picture(640, 480), 0.5).size == (452, 339)


@pytest.mark.parametrize("operation", [operations.crop, operations.resize])
def test_a_picture_that_cannot_shrink_is_refused(operation):
    with pytest.raises(PictureError, match="1x1"):
        operation(picture(1, 1), 0.5)
    assert operation(picture(1, 50), 0.5).size == (1, 35)


def test_meme_is_a_white_band_with_black_letters_in_its_middle():
    image = picture(640, 480)
    edited = operations.meme(image)
    assert edited.size == (640, 730)
    pixels = array(edited)
    assert np.array_equal(pixels[250:], array(image))
    band = pixels[:250]
    assert np.ptp(band, axis=2).max() == 0, "grey levels only"
    ink = np.argwhere(band[..., 0] < 128)
    assert 0.05 < len(ink) / band[..., 0].size < 0.4
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
    assert abs((left + right) / 2 - 320) < 20
    assert top > 5
    assert bottom < 245
    assert bottom - top > 120, "as large as the band allows"
    assert (band[0] == 255).all()


def test_meme_letters_shrink_with_the_picture():
    band = array(operations.meme(picture(60, 30)))[:250, :, 0]
    ink = np.argwhere(band < 128)
    assert ink[:, 1].min() >= 4
    assert ink[:, 1].max() <= 56
    with pytest.raises(PictureError, match="too narrow"):
        operations.meme(picture(8, 30))


@pytest.mark.parametrize(
    ("operation", "strength"),
    [
        (operations.hue, 0.6),
        (operations.blur, 4),
        (operations.blur, -1),
        (operations.jpeg, 0),
        (operations.jpeg, 101),
        (operations.crop, 0.0),
        (operations.resize, 1.5),
    ],
)
def test_strengths_out_of_range_are_refused(operation, strength):
    with pytest.raises(UsageError):
        operation(picture(), strength)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.floats(0.05, 0.95))
def test_crop_lies_within_and_has_the_area(width, height, area):
    image = picture(width, height)
    try:
        edited = operations.crop(image, area)
    except PictureError:
        assert min(width, height) == 1
        assert int(max(width, height) * math.sqrt(area)) in (0, 1)
        return
    for side, whole in zip(edited.size, image.size, strict=True):
        assert 1 <= side <= whole
        assert side == 1 or whole * math.sqrt(area) - 1 < side <= whole * math.sqrt(area)
