"""Pictures as they are seen: whole, in parts, over white."""

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from homing.errors import UsageError
from homing.images import seen
from homing.images.seen import SCREEN, SeenPicture
from homing.images.ssimulacra2 import Reference, ssimulacra2
from tests.helpers.picture_files import scene


def changed(pixels: np.ndarray, levels: float, seed: int = 1) -> np.ndarray:
    """Return the picture with a coarse change of its luminance."""
    height, width = pixels.shape[:2]
    peak = np.iinfo(pixels.dtype).max
    coarse = np.random.default_rng(seed).normal(0, levels, (24, 24)).astype(np.float32)
    spread = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    moved = pixels + np.asarray(spread)[:, :, None] * (peak / 255)
    return np.clip(np.rint(moved), 0, peak).astype(pixels.dtype)


def score(original: np.ndarray, other: np.ndarray, **options: object) -> float | None:
    peak = int(np.iinfo(original.dtype).max)
    return SeenPicture.of(original, peak=peak, **options).ssimulacra2(other)


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([1, 3]), st.floats(0, 9))
@settings(deadline=None, max_examples=30)
def test_a_small_picture_is_seen_whole(
    height: int, width: int, channels: int, levels: float
) -> None:
    pixels = scene(height, width, channels)
    other = changed(pixels, levels)
    assert score(pixels, other) == ssimulacra2(pixels, other, peak=255)


def by_hand(pixels: np.ndarray, other: np.ndarray) -> dict[str, float | None]:
    """Return the score of each view of a picture larger than a screen."""
    height, width = pixels.shape[:2]
    factor = SCREEN / max(height, width)
    size = round(width * factor), round(height * factor)

    def shrunk(each: np.ndarray) -> np.ndarray:
        image = Image.fromarray(each[..., 0] if each.shape[2] == 1 else each)
        small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        return np.asarray(small).reshape(size[1], size[0], -1)

    found = {"whole": ssimulacra2(shrunk(pixels), shrunk(other), peak=255)}
    for down in (1, 3, 5):
        for across in (1, 3, 5):
            top = max(0, round(down / 6 * height) - 192)
            left = max(0, round(across / 6 * width) - 192)
            part = np.s_[top : top + 384, left : left + 384]
            found[f"{down} {across}"] = ssimulacra2(pixels[part], other[part], peak=255)
    return found


@pytest.mark.parametrize("shape", [(1700, 1200, 3), (1300, 2100, 1), (600, 1604, 3)])
def test_a_large_picture_has_the_least_of_its_views(shape: tuple[int, int, int]) -> None:
    pixels = scene(*shape)
    height, width = shape[:2]
    everywhere = changed(pixels, 3)
    views = by_hand(pixels, everywhere)
    assert score(pixels, everywhere) == pytest.approx(min(views.values()), abs=1e-6)
    # What changes in one part alone is seen there.
    down, across = height // 6, 5 * width // 6
    spot = pixels.copy()
    place = np.s_[down - 60 : down + 60, across - 60 : across + 60]
    spot[place] = changed(pixels[place], 12)
    views = by_hand(pixels, spot)
    assert min(views, key=views.get) == "1 5"
    assert views["1 5"] < views["whole"] - 1
    assert score(pixels, spot) == pytest.approx(views["1 5"], abs=1e-6)


def test_a_picture_as_large_as_a_screen_is_seen_whole() -> None:
    pixels = scene(40, SCREEN)
    other = changed(pixels, 4)
    assert len(SeenPicture.of(pixels, peak=255).views) == 1
    assert score(pixels, other) == ssimulacra2(pixels, other, peak=255)
    wider = scene(40, SCREEN + 1)
    assert len(SeenPicture.of(wider, peak=255).views) == 10


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (4, 5000), (5000, 1)])
def test_too_small_to_be_judged(shape: tuple[int, int]) -> None:
    pixels = scene(*shape)
    assert score(pixels, pixels) is None


def test_views_too_small_to_be_judged_are_left_out() -> None:
    pixels = scene(12, 4000)  # five pixels high on a screen
    other = changed(pixels, 5)
    views = by_hand(pixels, other)
    assert views.pop("whole") is None
    assert score(pixels, other) == pytest.approx(min(views.values()), abs=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_what_is_transparent_is_seen_over_white(dtype: str) -> None:
    peak = np.iinfo(dtype).max
    pixels = scene(80, 90, dtype=dtype)
    other = changed(pixels, 5)
    alpha = np.full((80, 90), peak, dtype)
    alpha[:, :40] = 0
    alpha[:, 40:60] = peak // 4

    def shown(each: np.ndarray) -> np.ndarray:
        share = alpha[:, :, None].astype(float) / peak
        return np.rint(255 * (each / peak * share + 1 - share)).astype(np.uint8)

    found = score(pixels, other, opacity=alpha / np.float32(peak))
    # Single precision may round a half to the other side.
    assert found == pytest.approx(ssimulacra2(shown(pixels), shown(other), peak=255), abs=0.05)
    assert found > score(pixels, other)
    hidden = pixels.copy()
    hidden[:, :40] = peak - hidden[:, :40]
    assert score(pixels, hidden, opacity=alpha / np.float32(peak)) == 100
    opaque = np.full((80, 90), peak, dtype)
    assert score(pixels, other, opacity=opaque / np.float32(peak)) == score(pixels, other)


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_seen_as_8(channels: int) -> None:
    pixels = scene(70, 90, channels)
    other = changed(pixels, 4)
    wide, wide_other = (each.astype(np.uint16) * 257 for each in (pixels, other))
    assert score(wide, wide_other) == score(pixels, other)
    unseen = wide + np.random.default_rng(0).integers(-100, 101, wide.shape)
    unseen = np.clip(unseen, 0, 65535).astype(np.uint16)
    assert score(wide, unseen) == 100  # less than half a level of 8 bits


@pytest.mark.parametrize("shape", [(60, 80), (300, 1700)])
def test_a_grey_picture_is_compared_with_one_of_colour(shape: tuple[int, int]) -> None:
    grey = scene(*shape, 1)
    other = changed(grey, 4)
    coloured = other.repeat(3, axis=2)
    assert score(grey, coloured) == pytest.approx(score(grey, other), abs=1e-6)
    tinted = coloured.copy()
    tinted[:, :, 2] //= 2
    assert score(grey, tinted) < score(grey, coloured) - 5
    with pytest.raises(UsageError, match="equal shape"):  # but colour may not have become grey
        score(coloured, other)


def test_the_original_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = scene(50, 1700)
    picture = SeenPicture.of(pixels, peak=255)
    expected = picture.ssimulacra2(changed(pixels, 3))
    monkeypatch.setattr(seen, "Reference", None)  # no more of them are made
    for levels in (1, 3, 8):
        again = picture.ssimulacra2(changed(pixels, levels))
        assert (again == expected) is (levels == 3)
    assert picture.ssimulacra2(pixels) == 100
    assert all(isinstance(reference, Reference) for _, reference in picture.views)


def test_large_pictures_take_little_memory_and_time() -> None:
    pixels = np.tile(scene(500, 500), (8, 12, 1))  # 24 million pixels
    other = changed(pixels, 2)
    began = time.perf_counter()
    tracemalloc.start()
    found = score(pixels, other)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 50 < found < 100
    assert most < 5 * pixels.nbytes
    assert time.perf_counter() - began < 30
