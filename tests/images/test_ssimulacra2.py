"""SSIMULACRA2, against the package ``ssimulacra2``, and properties of its own."""

import importlib.util
import io

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from homing.errors import UsageError
from homing.images import ssim
from homing.images.ssimulacra2 import Reference, ssimulacra2
from tests.helpers.picture_files import noise, opened, saved, scene

needs_the_package = pytest.mark.skipif(
    importlib.util.find_spec("ssimulacra2") is None, reason="the package ssimulacra2 is absent"
)

CLOSE = 0.05
PICTURES = ("astronaut", "chelsea", "coffee", "camera")
SIZES = ((150, 200), (80, 100), (20, 20), (8, 8), (9, 250), (97, 131), (256, 255), (17, 64))


def in_colour(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy())


def by_the_package(original: np.ndarray, other: np.ndarray) -> float:
    import ssimulacra2 as package

    files = []
    for pixels in (original, other):
        files.append(io.BytesIO())
        in_colour(pixels).save(files[-1], "PNG")
    return float(package.compute_ssimulacra2(*files))


def photograph(name: str, height: int = 512, width: int = 512) -> np.ndarray:
    """Return a part of one of scikit-image's pictures, (h, w, 1) or (h, w, 3)."""
    pixels = np.atleast_3d(getattr(skimage.data, name)())
    return np.ascontiguousarray(pixels[:height, :width])


def shifted(pixels: np.ndarray, amplitude: float, seed: int = 1) -> np.ndarray:
    """Add smooth waves of one amplitude, levels, and another phase in every channel."""
    y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]]
    phases = np.random.default_rng(seed).uniform(0, 6, pixels.shape[2])
    waves = np.sin(x[..., None] / 2.5 + phases) * np.cos(y[..., None] / 3.5 - phases)
    return np.clip(np.rint(pixels + amplitude * waves), 0, 255).astype(np.uint8)


def only_colour_shifted(pixels: np.ndarray, amplitude: float) -> np.ndarray:
    """Change colour and leave the luminance of BT.601 as it is, but for rounding."""
    y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]]
    waves = amplitude * np.sin(x / 6) * np.cos(y / 5)
    change = waves[..., None] * np.array([1.0, -0.299 / 0.587, 0.0])
    return np.clip(np.rint(pixels + change), 0, 255).astype(np.uint8)


def of_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    return np.atleast_3d(np.asarray(opened(saved(pixels, "JPEG", quality=quality))))


@needs_the_package
@pytest.mark.parametrize("quality", [30, 75, 92])
@pytest.mark.parametrize("name", PICTURES)
def test_the_package_scores_coded_photographs_alike(name: str, quality: int) -> None:
    pixels = photograph(name, 301, 333)
    coded = of_jpeg(pixels, quality)
    wanted = by_the_package(pixels, coded)
    assert ssimulacra2(pixels, coded, peak=255) == pytest.approx(wanted, abs=CLOSE)


@needs_the_package
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_the_package_scores_generated_pictures_alike(size: tuple[int, int], channels: int) -> None:
    pixels = scene(*size, channels)
    for other in (shifted(pixels, 4), of_jpeg(pixels, 85), noise(*size, channels)):
        wanted = by_the_package(pixels, other)
        assert ssimulacra2(pixels, other, peak=255) == pytest.approx(wanted, abs=CLOSE)


@needs_the_package
@pytest.mark.parametrize("amplitude", [2, 6, 20])
def test_the_package_scores_changes_of_colour_alike(amplitude: float) -> None:
    pixels = photograph("astronaut", 257, 310)
    other = only_colour_shifted(pixels, amplitude)
    wanted = by_the_package(pixels, other)
    assert ssimulacra2(pixels, other, peak=255) == pytest.approx(wanted, abs=CLOSE)


@needs_the_package
def test_the_package_scores_flat_pictures_alike() -> None:
    for level, change in ((0, 1), (128, 2), (252, 3)):
        pixels = np.full((60, 70, 3), level, np.uint8)
        other = (pixels + change).astype(np.uint8)
        wanted = by_the_package(pixels, other)
        assert ssimulacra2(pixels, other, peak=255) == pytest.approx(wanted, abs=CLOSE)


@given(
    st.integers(8, 60), st.integers(8, 60), st.sampled_from([1, 3]), st.sampled_from(["u1", "u2"])
)
@settings(deadline=None, max_examples=30)
def test_identical_pictures_have_the_highest_score(
    height: int, width: int, channels: int, dtype: str
) -> None:
    peak = int(np.iinfo(dtype).max)
    for pixels in (scene(height, width, channels, dtype), noise(height, width, channels, dtype)):
        assert ssimulacra2(pixels, pixels.copy(), peak=peak) == 100


@pytest.mark.parametrize("name", ["astronaut", "camera"])
def test_a_stronger_change_has_a_lower_score(name: str) -> None:
    pixels = photograph(name, 200, 220)
    scores = [ssimulacra2(pixels, shifted(pixels, a), peak=255) for a in (0, 1, 2, 4, 8, 16, 32)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)


def test_16_bits_score_as_8() -> None:
    pixels = photograph("coffee", 150, 171)
    other = shifted(pixels, 5)
    wide, wide_other = (each.astype(np.uint16) * 257 for each in (pixels, other))
    narrow = ssimulacra2(pixels, other, peak=255)
    assert ssimulacra2(wide, wide_other, peak=65535) == pytest.approx(narrow, abs=CLOSE)


def test_grey_scores_as_equal_channels() -> None:
    pixels = photograph("camera", 120, 111)
    other = shifted(pixels, 5)
    colours = [np.repeat(each, 3, axis=2) for each in (pixels, other)]
    assert ssimulacra2(*colours, peak=255) == pytest.approx(ssimulacra2(pixels, other, peak=255))


def test_colour_is_seen_where_ssim_is_blind() -> None:
    pixels = photograph("astronaut", 300, 300)
    other = only_colour_shifted(pixels, 12)
    structure, score = ssim(pixels, other, peak=255), ssimulacra2(pixels, other, peak=255)
    assert structure is not None
    assert score is not None
    assert structure > 0.99
    assert score < 75


@pytest.mark.parametrize("size", [(7, 100), (100, 7), (1, 1), (7, 7)])
def test_a_picture_below_8_pixels_a_side_has_none(size: tuple[int, int]) -> None:
    pixels = scene(*size)
    assert ssimulacra2(pixels, pixels, peak=255) is None
    assert Reference.of(pixels, peak=255).score(noise(*size)) is None


def test_a_reference_scores_several_pictures() -> None:
    pixels = photograph("chelsea", 140, 150)
    others = [shifted(pixels, amplitude) for amplitude in (1, 9, 3, 9)]
    reference = Reference.of(pixels, peak=255)
    scores = [reference.score(other) for other in others]
    assert scores == [ssimulacra2(pixels, other, peak=255) for other in others]
    assert scores[1] == scores[3]


def test_inputs_are_left_as_they_are() -> None:
    pixels = photograph("chelsea", 60, 70)
    other = shifted(pixels, 5)
    before = pixels.copy(), other.copy()
    for each in (pixels, other):
        each.flags.writeable = False
    ssimulacra2(pixels, other, peak=255)
    assert np.array_equal(pixels, before[0])
    assert np.array_equal(other, before[1])


def test_turned_and_cut_views_score_as_their_copies() -> None:
    pixels = photograph("chelsea", 120, 90)
    other = shifted(pixels, 5)
    views = [each.swapaxes(0, 1)[::-1, 5:] for each in (pixels, other)]
    copies = [np.ascontiguousarray(each) for each in views]
    assert ssimulacra2(*views, peak=255) == ssimulacra2(*copies, peak=255)


def test_wrong_pictures_are_refused() -> None:
    pixels = scene(20, 30)
    with pytest.raises(UsageError, match="equal shape"):
        ssimulacra2(pixels, scene(20, 31), peak=255)
    with pytest.raises(UsageError, match="equal shape"):
        ssimulacra2(pixels, scene(20, 30, 1), peak=255)
    with pytest.raises(UsageError, match="positive peak"):
        ssimulacra2(pixels, pixels, peak=0)
    for shape in ((20, 30), (20, 30, 2), (20, 30, 4)):
        with pytest.raises(UsageError, match="h, w, 3"):
            Reference.of(np.zeros(shape, np.uint8), peak=255)
