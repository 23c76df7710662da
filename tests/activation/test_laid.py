"""Changes laid on the coefficients of JPEGs: they arrive, and nothing else changes."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from homing.activation.laid import (
    LARGEST_SCALE,
    LaidChange,
    _cosine_transform,
    _Wanted,
    lay,
)
from homing.activation.laid_sums import sums_laid
from homing.errors import PictureError
from homing.images.formats.jpeg import decode_black, decode_jpeg, parse_jpeg
from homing.images.formats.jpeg_coefficients import (
    excerpt,
    read_coefficients,
    write_coefficients,
)
from homing.images.limits import UNLIMITED
from tests.helpers.jpegs import filled, frame
from tests.helpers.picture_files import saved, scene


def decoded(data: bytes) -> np.ndarray:
    return decode_jpeg(data, parse_jpeg(data, UNLIMITED)).astype(np.float64)


def laid_on(data: bytes, change: np.ndarray) -> LaidChange:
    header = parse_jpeg(data, UNLIMITED)
    light = decode_black(data, header) if header.components == 4 else None
    return lay(read_coefficients(data, header), change, light)


def test_blocks_are_transformed_as_scipy_does_it() -> None:
    samples = np.random.default_rng(1).normal(size=(24, 40)).astype(np.float32)
    blocks = samples.astype(np.float64).reshape(3, 8, 5, 8)
    expected = dctn(blocks, axes=(1, 3), norm="ortho")
    np.testing.assert_allclose(_cosine_transform(samples), expected, atol=2e-6)


def smooth(height: int, width: int, channels: int = 3, rms: float = 3.0) -> np.ndarray:
    """Return a change as activation makes it, smooth over a few pixels, in units of the range."""
    coarse = np.random.default_rng(4).normal(size=(height // 8 + 1, width // 8 + 1, channels))
    planes = [
        np.asarray(
            Image.fromarray(coarse[..., c].astype(np.float32)).resize(
                (width, height), Image.Resampling.BICUBIC
            )
        )
        for c in range(channels)
    ]
    change = np.stack(planes, 2)
    return (change * (rms / 255 / np.sqrt(np.mean(change**2)))).astype(np.float32)


def arrived(data: bytes, change: np.ndarray, scale: float = 1.0) -> np.ndarray:
    written = write_coefficients(data, laid_on(data, change).at(scale))
    return decoded(written) - decoded(data)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


def grey_scene(height: int, width: int) -> np.ndarray:
    """Return a picture with room above and below."""
    return (64 + scene(height, width) // 2).astype(np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "keep_rgb"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_change_arrives(mode: str, subsampling: int, progressive: bool) -> None:
    options: dict[str, object] = {"progressive": progressive, "quality": 92}
    options |= {"keep_rgb": True} if mode == "keep_rgb" else {"subsampling": subsampling}
    image = Image.fromarray(grey_scene(150, 203))
    data = saved(image if mode == "keep_rgb" else image.convert(mode), "JPEG", **options)
    change = smooth(150, 203, 1 if mode == "L" else 3)
    found = arrived(data, change)
    assert cosine(found, change) > (0.6 if subsampling and mode == "RGB" else 0.8)
    assert 0.6 < (found * change).sum() / (change**2).sum() / 255 < 1.1


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "keep_rgb"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_change_that_all_channels_share_is_of_luminance_alone(
    mode: str, subsampling: int
) -> None:
    options: dict[str, object] = {"quality": 90}
    options |= {"keep_rgb": True} if mode == "keep_rgb" else {"subsampling": subsampling}
    image = Image.fromarray(grey_scene(90, 123))
    data = saved(image if mode == "keep_rgb" else image.convert(mode), "JPEG", **options)
    change = smooth(90, 123, 1)
    before, laid = laid_on(data, change).original, laid_on(data, change).at(1.0)
    changed = [
        not np.array_equal(one.blocks, other.blocks)
        for one, other in zip(before.components, laid.components, strict=True)
    ]
    expected = {"L": [True], "RGB": [True, False, False], "CMYK": [True] * 3 + [False]}
    assert changed == expected.get(mode, [True] * 3)
    found = decoded(write_coefficients(data, laid)) - decoded(data)
    assert cosine(found, np.broadcast_to(change, found.shape)) > 0.8
    if mode == "RGB":
        # Away from black and white nothing of the colour moves but by rounding.
        apart = found - found.mean(axis=2, keepdims=True)
        assert np.abs(apart).max() < 1
    if mode != "L":
        whole = laid_on(data, np.repeat(change, 3, axis=2)).at(1.0)
        assert np.array_equal(whole.components[0].blocks, laid.components[0].blocks)


@pytest.mark.parametrize("quality", [95, 85, 60, 40])
@pytest.mark.parametrize("channels", [1, 3])
def test_at_the_even_scale_all_of_the_change_arrives(quality: int, channels: int) -> None:
    data = saved(grey_scene(300, 400), "JPEG", quality=quality)
    change = smooth(300, 400, channels)
    laid = laid_on(data, change)
    even = laid.even_scale()
    assert 0 < even <= LARGEST_SCALE
    after = laid.at(even)
    arrived = wanted = 0.0
    for old, new, some in zip(
        laid.original.components, after.components, laid.wanted, strict=False
    ):
        for each in some:
            steps = (new.blocks - old.blocks).reshape(*old.blocks.shape[:2], 64)[..., each.place]
            arrived += each.weight * float(np.sum(steps * each.values.astype(float)))
            wanted += each.weight * float(np.sum(each.values.astype(float) ** 2))
    if even < LARGEST_SCALE:
        assert arrived == pytest.approx(wanted, rel=0.02)
    assert arrived >= 0.95 * wanted or even == LARGEST_SCALE


def test_the_even_scale_of_nothing_does_not_matter() -> None:
    data = saved(grey_scene(40, 40), "JPEG")
    laid = laid_on(data, np.zeros((40, 40, 1), np.float32))
    assert np.array_equal(laid.at(laid.even_scale()).flat, laid.original.flat)


def test_inks_of_ycck_change_the_right_way() -> None:
    data, _ = filled(frame((120, 90), ((1, 1),) * 4, adobe=2), "ycck")
    change = np.full((90, 120, 3), 0.02, np.float32)
    before = read_coefficients(data, parse_jpeg(data, UNLIMITED))
    laid = laid_on(data, change).at(1.0)
    assert np.array_equal(laid.components[3].blocks, before.components[3].blocks)
    assert (decoded(write_coefficients(data, laid)) - decoded(data)).mean() > 1


@pytest.mark.parametrize("quality", [95, 85, 75, 60, 50])
def test_coarse_quantisation_leaves_the_most_of_it(quality: int) -> None:
    data = saved(grey_scene(300, 400), "JPEG", quality=quality)
    change = smooth(300, 400)
    found = arrived(data, change, 1.5)
    power = np.sqrt((found**2).sum() / (255 * change**2).sum() / 255)
    assert cosine(found, change) > {95: 0.75, 85: 0.7, 75: 0.65, 60: 0.55, 50: 0.5}[quality]
    assert power < 2


def test_a_grid_that_is_not_whole_is_refused() -> None:
    data, _ = filled(frame((40, 40), ((3, 1), (2, 1), (1, 1))), "ycc")
    with pytest.raises(PictureError, match="whole pixels"):
        laid_on(data, smooth(40, 40))


@pytest.mark.parametrize(
    "sampling", [((1, 1),) * 3, ((2, 2), (1, 1), (1, 1)), ((4, 1), (1, 1), (1, 1))]
)
def test_what_is_not_to_change_stays_to_the_last_bit(sampling) -> None:
    data, _ = filled(frame((200, 160), sampling), "ycc")
    change = smooth(160, 200, rms=6.0)
    change[48:96, 64:144] = 0
    difference = arrived(data, change)
    assert not difference[48:96, 64:144].any()
    assert difference[:40].any()
    assert not arrived(data, np.zeros_like(change)).any()


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("quality", [90, 60])
def test_the_error_is_foreseen(scale: float, quality: int) -> None:
    data = saved(grey_scene(300, 400), "JPEG", quality=quality)
    laid = laid_on(data, smooth(300, 400))
    written = decoded(write_coefficients(data, laid.at(scale)))
    error = np.mean(((written - decoded(data)) / 255) ** 2)
    assert abs(10 * np.log10(laid.error(scale) / error)) < 1


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_sums_are_those_of_the_steps_laid(scale: float) -> None:
    generator = np.random.default_rng(2)
    old = generator.choice(np.array([0, 0, 1, -5, 1020, -1023, 1500], np.int16), (7, 60))
    values = generator.normal(scale=2, size=old.shape).astype(np.float32)
    values[:2, :20] = generator.integers(-9, 9, (2, 20)) / 2 / scale  # halves, rounded to even
    for place, new in ((0, 0.0), (9, 0.7)):
        steps = _Wanted(place, old, values, 0.7, 1.0, 1.0).steps(scale).astype(np.float64)
        found = sums_laid(old, values, np.float32(scale), np.float32(new), np.float32(1023))
        assert found == pytest.approx((np.square(steps).sum(), (steps * values).sum()), rel=1e-6)
        assert found[0] > 0


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(grey_scene(150, 203), "JPEG")
    change = smooth(150, 203)
    whole = laid_on(data, change).at(1.2)
    monkeypatch.setattr("homing.activation.laid._BAND_PIXELS", 1000)
    assert np.array_equal(laid_on(data, change).at(1.2).flat, whole.flat)
    half = laid_on(data, change.astype(np.float16)).at(1.2)
    assert np.mean(half.flat != whole.flat) < 1e-3


def test_the_padding_of_a_picture_stays() -> None:
    data = saved(grey_scene(17, 17), "JPEG", subsampling=2)
    before = read_coefficients(data, parse_jpeg(data, UNLIMITED))
    after = laid_on(data, smooth(17, 17, rms=8)).at(2.0)
    changed = (before.components[0].blocks != after.components[0].blocks).any((2, 3))
    assert changed.shape == (4, 4)
    assert changed[:3, :3].any()
    assert not changed[3].any()
    assert not changed[:, 3].any()


def test_no_coefficient_leaves_the_range_of_baseline() -> None:
    data = saved(Image.new("L", (64, 64), 255), "JPEG", quality=100)
    laid = laid_on(data, np.full((64, 64, 1), 0.9, np.float32)).at(4.0)
    assert np.abs(laid.flat).max() <= 1023
    assert (Image.open(io.BytesIO(write_coefficients(data, laid))).getextrema()) == (255, 255)


@pytest.mark.parametrize("options", [{}, {"progressive": True, "subsampling": 0}])
def test_a_sample_of_rows_is_decoded_as_the_whole(
    options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homing.activation.laid._SAMPLED_BLOCKS", 200)
    data = saved(grey_scene(600, 300), "JPEG", **options)
    laid = laid_on(data, smooth(600, 300))
    rows = laid.sample
    assert 3 <= len(rows) < 20
    (empty, before), (_, after) = (
        excerpt(data, each, rows) for each in (laid.original, laid.at(1.0))
    )
    shown = [decoded(write_coefficients(empty, each)) for each in (before, after)]
    height = shown[0].shape[0] // len(rows)
    whole = decoded(data)
    for number, row in enumerate(rows):
        # Chroma is smoothed over the border to the next row, which here is another.
        inner = slice(number * height + 2, (number + 1) * height - 2)
        same = slice(row * height + 2, (row + 1) * height - 2)
        assert np.array_equal(shown[0][inner], whole[same])
    error = np.mean(((shown[1] - shown[0]) / 255) ** 2)
    assert abs(10 * np.log10(laid.error_of_sample(1.0) / error)) < 1
    monkeypatch.undo()
    assert abs(10 * np.log10(laid.error(1.0) / error)) < 1
