"""Flat places, against an obvious implementation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw

from homing.images import flat
from homing.images.flat import flat_places
from tests.helpers.picture_files import scene


def obvious_pixels(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    found = np.empty((height, width), bool)
    for y in range(height):
        for x in range(width):
            around = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            found[y, x] = all(
                np.array_equal(pixels[y, x], pixels[row, column])
                for row, column in around
                if 0 <= row < height and 0 <= column < width
            )
    return found


def share_around(found: np.ndarray) -> np.ndarray:
    """Return the share of flat pixels within sixteen in each direction; the outermost go on."""
    padded = np.pad(found, 16, mode="edge").astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (33, 33))
    shares: np.ndarray = windows.mean(axis=(2, 3))
    return shares


def check_pixels(found: np.ndarray, pixels: np.ndarray) -> None:
    """Assert that flat pixels and those amid them were found; a half is a matter of rounding."""
    flat = obvious_pixels(pixels)
    shares = share_around(flat)
    assert found[flat | (shares > 0.51)].all()
    assert not found[~flat & (shares < 0.49)].any()


def obvious_blocks(pixels: np.ndarray) -> np.ndarray:
    found = np.empty(pixels.shape[:2], bool)
    for top in range(0, len(pixels), 8):
        for left in range(0, pixels.shape[1], 8):
            block = pixels[top : top + 8, left : left + 8]
            found[top : top + 8, left : left + 8] = (block == block[0, 0]).all()
    return found


def pictures() -> st.SearchStrategy[np.ndarray]:
    """Return pictures of a few levels, so that much is flat, with whole areas filled."""
    shapes = st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))
    kinds = st.sampled_from([np.uint8, np.uint16])

    def patchy(shape: tuple[int, ...], dtype: type) -> st.SearchStrategy[np.ndarray]:
        peak = np.iinfo(dtype).max
        levels = st.sampled_from([0, 1, peak - 1, peak])
        return arrays.arrays(dtype, shape, elements=levels, fill=levels)

    return st.tuples(shapes, kinds).flatmap(lambda drawn: patchy(*drawn))


@given(pictures(), st.sampled_from([8, 16, 512]))
@settings(deadline=None, max_examples=150)
def test_both_rules_agree_with_the_obvious_ones(pixels: np.ndarray, band: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat, "_BAND", band)
        found, of_blocks = (flat_places(pixels, blocks=blocks) for blocks in (False, True))
        assert found.dtype == of_blocks.dtype == bool
        check_pixels(found, pixels)
        np.testing.assert_array_equal(flat._flat_pixels(pixels), obvious_pixels(pixels))
        np.testing.assert_array_equal(of_blocks, obvious_blocks(pixels))


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("height", [511, 512, 513, 1024, 1025])
def test_borders_of_bands_do_not_show(height: int, blocks: bool) -> None:
    pixels = np.full((height, 9, 3), 7, np.uint8)
    odd = [y for y in (0, 255, 503, 510, 511, 512, 513, 520, 1023, 1024) if y < height]
    rule, obvious = (
        (flat._flat_blocks, obvious_blocks) if blocks else (flat._flat_pixels, obvious_pixels)
    )
    for y in odd:  # one row at a time, so that none hides another
        changed = pixels.copy()
        changed[y, 4, 1] = 8
        np.testing.assert_array_equal(rule(changed), obvious(changed))
    assert flat_places(pixels, blocks=blocks).all()


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (1, 20, 3), (20, 1, 1), (3, 1200, 3)])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_picture_of_one_colour_is_flat(
    shape: tuple[int, int, int], dtype: str, blocks: bool
) -> None:
    for level in (0, np.iinfo(dtype).max):
        assert flat_places(np.full(shape, level, dtype), blocks=blocks).all()


def test_the_least_difference_of_a_single_channel_counts() -> None:
    for dtype in ("u1", "u2"):
        for channel in range(3):
            pixels = np.full((5, 5, 3), 1000 % np.iinfo(dtype).max, dtype)
            pixels[2, 2, channel] += 1
            expected = np.ones((5, 5), bool)
            expected[2, 1:4] = expected[1:4, 2] = False
            np.testing.assert_array_equal(flat._flat_pixels(pixels), expected)
            assert not flat_places(pixels, blocks=True).any()


def test_a_slow_gradient_is_flat_in_pixels_and_not_in_blocks() -> None:
    pixels = np.repeat(np.arange(20, dtype=np.uint8), 4)[None, :, None].repeat(80, 0)
    assert flat._flat_pixels(pixels).mean() == pytest.approx(0.5, abs=0.05)
    assert not flat_places(pixels, blocks=True).any()


def test_letters_and_lines_amid_flat_places_count_as_flat() -> None:
    page = Image.new("RGB", (200, 120), "white")
    draw = ImageDraw.Draw(page)
    draw.text((60, 20), "flat", fill="black")
    draw.line([(30, 60), (170, 60)], fill="blue", width=2)
    pixels = np.asarray(page).copy()
    assert not obvious_pixels(pixels).all()
    assert flat_places(pixels, blocks=False).all()
    pixels[60:] = scene(60, 200)
    found = flat_places(pixels, blocks=False)
    assert not found[80:].any()  # and a photograph beside them does not
    assert found[:55].all()


def test_a_spot_of_one_colour_does_not_make_its_surroundings_flat() -> None:
    pixels = scene(80, 90)
    pixels[30:50, 30:50] = 200
    expected = obvious_pixels(pixels)
    assert expected.sum() == 18 * 18
    np.testing.assert_array_equal(flat_places(pixels, blocks=False), expected)


@pytest.mark.parametrize("blocks", [False, True])
def test_the_picture_is_left_as_it_is_and_may_be_a_view(blocks: bool) -> None:
    pixels = scene(50, 70)
    pixels[10:30, 10:40] = 3
    expected = flat_places(pixels, blocks=blocks)
    before = pixels.copy()
    pixels.flags.writeable = False
    turned = pixels.swapaxes(0, 1).copy().swapaxes(0, 1)  # columns first in memory
    np.testing.assert_array_equal(flat_places(turned, blocks=blocks), expected)
    np.testing.assert_array_equal(flat_places(pixels, blocks=blocks), expected)
    np.testing.assert_array_equal(pixels, before)
    assert 0 < expected.mean() < 0.2
