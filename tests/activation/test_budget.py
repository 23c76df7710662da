"""The distortion budget: decoded files meet it, and use it."""

import io
import math
from collections.abc import Callable
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from homing.activation.budget import (
    Coder,
    ScaledCoder,
    code_without_change,
    fit_scale,
    fit_to_budget,
)
from homing.images.samples import Samples
from tests.helpers.pictures import decibels

EIGHT_BITS = Samples.plain(255)


def pillow(kind: str, **options: object) -> Callable[[np.ndarray], bytes]:
    def write(pixels: np.ndarray) -> bytes:
        stream = io.BytesIO()
        array = pixels[..., 0] if pixels.shape[2] == 1 else pixels
        Image.fromarray(array).save(stream, kind, **options)
        return stream.getvalue()

    return write


def read(data: bytes, channels: int) -> np.ndarray:
    if data[:4] == b"\x89PNG":
        pixels = imagecodecs.png_decode(data)  # Pillow reads no 16-bit RGB
    else:
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


def coder(name: str, channels: int, write: Callable[[np.ndarray], bytes]) -> Coder:
    def code(pixels: np.ndarray) -> tuple[bytes, np.ndarray]:
        data = write(pixels)
        return data, read(data, channels)

    return Coder(name, name.startswith(("JPEG", "WebP")) and name != "WebP lossless", code)


def ladder(kind: str, channels: int) -> list[Coder]:
    steps: dict[str, Callable[[np.ndarray], bytes]] = {"PNG": imagecodecs.png_encode}
    if kind == "JPEG":
        steps = {f"JPEG {q}": pillow("JPEG", quality=q, subsampling=0) for q in (95, 98, 100)}
    elif kind == "WebP":
        steps = {
            "WebP 95": pillow("WEBP", quality=95, method=0),
            "WebP lossless": pillow("WEBP", lossless=True, method=0),
        }
    return [coder(name, channels, write) for name, write in steps.items()]


@st.composite
def tasks(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Draw a picture and a change to it: smooth, noisy, flat, dark, bright, large and small."""
    channels = draw(st.sampled_from([1, 3]))
    shape = draw(st.integers(1, 40)), draw(st.integers(1, 40)), channels
    peak = draw(st.sampled_from([255, 65535]))
    generator = np.random.default_rng(draw(st.integers(0, 2**20)))
    y, x = np.mgrid[: shape[0], : shape[1]][..., None]
    base = draw(st.floats(0, 1)) + draw(st.floats(0, 0.4)) * np.sin(x / 6 + np.cos(y / 5))
    base = base + draw(st.sampled_from([0, 0.01, 0.3])) * generator.normal(size=shape)
    original = (np.clip(base, 0, 1) * peak).astype(np.uint8 if peak == 255 else np.uint16)
    amplitude = draw(st.sampled_from([0, 1e-4, 0.003, 0.01, 0.03, 0.2]))
    change = amplitude * generator.normal(size=shape)
    if draw(st.booleans()):
        change = amplitude * np.sin(x / 3 + y / 4 + np.arange(channels))
    dtype = draw(st.sampled_from([np.float16, np.float32]))
    return original, change.astype(dtype), peak


@settings(max_examples=150, deadline=None)
@given(task=tasks(), budget=st.floats(30, 55), kind=st.sampled_from(["PNG", "JPEG", "WebP"]))
def test_never_below_the_budget(
    task: tuple[np.ndarray, np.ndarray, int], budget: float, kind: str
) -> None:
    original, change, peak = task
    kind = "PNG" if peak > 255 else kind
    kind = "JPEG" if kind == "WebP" and original.shape[2] == 1 else kind
    coders = ladder(kind, original.shape[2])
    samples = Samples.plain(int(peak))
    found = fit_to_budget(original, change, samples=samples, least_psnr=budget, coders=coders)
    found = found or code_without_change(original, samples, budget, coders)
    if found is None:
        assert kind == "JPEG"  # without loss no change at all is always possible
        for each in coders:
            assert decibels(original, each.code(original)[1], peak) < budget + 0.03
        return
    decoded = read(found.data, original.shape[2])
    np.testing.assert_array_equal(found.pixels, decoded)
    reached = decibels(original, decoded, peak)
    assert reached >= budget
    assert found.psnr == pytest.approx(reached, abs=1e-9)
    assert found.scale >= 0
    assert found.coding in [each.name for each in coders]


@settings(max_examples=150, deadline=None)
@given(
    height=st.integers(48, 72),
    width=st.integers(48, 72),
    channels=st.sampled_from([1, 3]),
    peak=st.sampled_from([255, 65535]),
    level=st.floats(0.2, 0.8),
    amplitude=st.floats(0.004, 0.05),
    budget=st.floats(38, 48),
    kind=st.sampled_from(["PNG", "JPEG", "WebP"]),
    seed=st.integers(0, 2**16),
)
def test_the_budget_is_used_when_the_change_allows(
    height: int, width: int, channels: int, peak: int, level: float, amplitude: float,
    budget: float, kind: str, seed: int,
) -> None:  # fmt: skip
    generator = np.random.default_rng(seed)
    shape = height, width, channels
    pixels = level + 0.1 * np.sin(np.mgrid[:height, :width][1] / 9)[..., None]
    pixels = np.clip(pixels + 0.01 * generator.normal(size=shape), 0, 1)
    original = (pixels * peak).astype(np.uint8 if peak == 255 else np.uint16)
    change = (amplitude * generator.normal(size=shape)).astype(np.float32)
    kind = "PNG" if peak > 255 else kind
    kind = "JPEG" if kind == "WebP" and channels == 1 else kind
    coders = ladder(kind, channels)
    samples = Samples.plain(int(peak))
    found = fit_to_budget(original, change, samples=samples, least_psnr=budget, coders=coders)
    assert found is not None
    largest = next(each for each in coders if each.name == found.coding)
    blown_up = largest.code(_changed(original, change, 2.0, peak))[1]
    if decibels(original, blown_up, peak) > budget:
        assert found.psnr == pytest.approx(decibels(original, blown_up, peak), abs=0.1)
    else:
        # A lossy coding of so few pixels answers in steps.
        assert budget <= found.psnr < budget + {"PNG": 0.1, "JPEG": 0.2, "WebP": 0.3}[kind]


def _changed(original: np.ndarray, change: np.ndarray, scale: float, peak: int) -> np.ndarray:
    levels = np.rint(original + change.astype(np.float64) * scale * peak)
    return np.clip(levels, 0, peak).astype(original.dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_the_file_holds_the_change_at_its_scale(scene, dtype: str) -> None:
    original = scene(50, 60, dtype=dtype)
    peak = np.iinfo(dtype).max
    change = np.random.default_rng(1).normal(0, 0.01, original.shape).astype(np.float32)
    samples = Samples.plain(int(peak))
    found = fit_to_budget(original, change, samples=samples, least_psnr=42, coders=ladder("PNG", 3))
    assert found is not None
    expected = _changed(original, change, found.scale, peak)
    difference = np.abs(found.pixels.astype(int) - expected.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01  # halves, rounded in single precision
    assert 42 <= found.psnr < 42.1


def test_clamped_pixels_are_made_up_for(scene) -> None:
    original = scene(60, 60)
    original[:, :40] = 255  # two thirds can only get darker
    change = np.random.default_rng(1).normal(0, 0.01, original.shape).astype(np.float32)
    found = fit_to_budget(
        original, change, samples=EIGHT_BITS, least_psnr=42, coders=ladder("PNG", 3)
    )
    assert found is not None
    assert 42 <= found.psnr < 42.1


def test_a_better_coding_where_coding_alone_takes_the_budget() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    change = np.random.default_rng(2).normal(0, 0.01, noise.shape).astype(np.float32)
    coders = ladder("JPEG", 3)
    own = [decibels(noise, each.code(noise)[1], 255) for each in coders]
    assert own[0] < 46 < own[-1]  # otherwise this test proves nothing
    found = fit_to_budget(noise, change, samples=EIGHT_BITS, least_psnr=43, coders=coders)
    assert found is not None
    assert found.coding != "JPEG 95"
    assert 43 <= found.psnr < 43.1
    smooth = np.full((64, 64, 3), 128, np.uint8)
    found = fit_to_budget(smooth, change, samples=EIGHT_BITS, least_psnr=40, coders=coders)
    assert found is not None
    assert found.coding == "JPEG 95"


def test_the_last_coding_that_fits_is_better_than_none() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    change = np.random.default_rng(2).normal(0, 0.01, noise.shape).astype(np.float32)
    coders = ladder("JPEG", 3)
    budget = decibels(noise, coders[-1].code(noise)[1], 255) - 0.5
    found = fit_to_budget(noise, change, samples=EIGHT_BITS, least_psnr=budget, coders=coders)
    assert found is not None
    assert found.psnr >= budget
    assert found.coding == "JPEG 100"


def test_an_impossible_budget_gives_none() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    change = np.full(noise.shape, 0.01, np.float32)
    assert (
        fit_to_budget(noise, change, samples=EIGHT_BITS, least_psnr=80, coders=ladder("JPEG", 3))
        is None
    )


def test_no_change_requested_no_change_made(scene) -> None:
    original = scene(20, 20)
    found = fit_to_budget(
        original,
        np.zeros(original.shape, np.float32),
        samples=EIGHT_BITS,
        least_psnr=42,
        coders=ladder("PNG", 3),
    )
    assert found is not None
    np.testing.assert_array_equal(found.pixels, original)
    assert (found.psnr, found.scale) == (math.inf, 0.0)


def test_a_small_change_is_not_blown_up(scene) -> None:
    original = scene(50, 50)
    change = np.full(original.shape, 0.002, np.float32)
    found = fit_to_budget(
        original, change, samples=EIGHT_BITS, least_psnr=30, coders=ladder("PNG", 3)
    )
    assert found is not None
    assert found.scale == 2.0
    np.testing.assert_array_equal(found.pixels, original + np.uint8(1))


def test_a_sample_makes_the_first_guess_right(scene) -> None:
    original = scene(240, 320)
    change = np.random.default_rng(2).normal(0, 0.01, original.shape).astype(np.float32)
    attempts: dict[bool, int] = {}
    for sampled in (True, False):
        plain = ladder("JPEG", 3)[1]
        coded: list[np.ndarray] = []

        def code(
            pixels: np.ndarray, plain: Coder = plain, coded: list[np.ndarray] = coded
        ) -> tuple[bytes, np.ndarray]:
            coded.append(pixels)
            return plain.code(pixels)

        def preview(pixels: np.ndarray, plain: Coder = plain) -> np.ndarray:
            assert pixels.shape[0] % 8 == 0
            assert pixels.size < original.size / 2
            return plain.code(pixels)[1]

        counting = Coder("JPEG 98", True, code, preview if sampled else None)
        found = fit_to_budget(
            original, change, samples=EIGHT_BITS, least_psnr=42, coders=[counting]
        )
        assert found is not None
        assert 42 <= found.psnr < 42.1
        attempts[sampled] = len(coded)
    assert attempts[True] == 1 < attempts[False]


def test_a_picture_of_few_rows_is_not_sampled() -> None:
    original = np.full((100, 30, 3), 128, np.uint8)
    change = np.random.default_rng(2).normal(0, 0.01, original.shape).astype(np.float32)
    plain = ladder("JPEG", 3)[0]

    def preview(pixels: np.ndarray) -> np.ndarray:
        raise AssertionError

    coders = [Coder("JPEG 95", True, plain.code, preview)]
    assert (
        fit_to_budget(original, change, samples=EIGHT_BITS, least_psnr=42, coders=coders)
        is not None
    )


@pytest.mark.parametrize("largest", [0.1, 0.25, 0.4, 1.0])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_change_is_scaled_no_further_than_asked(
    largest: float, kind: str, channels: int, scene
) -> None:
    original = scene(90, 120)
    drawn = 0.02 * np.random.default_rng(0).normal(size=(90, 120, channels))
    change = drawn.astype(np.float32)

    def fitted(**options: float):
        return fit_to_budget(
            original, change, samples=EIGHT_BITS, least_psnr=40.0, coders=ladder(kind, 3), **options
        )

    found, whole = fitted(largest=largest), fitted()
    assert 0.4 < whole.scale < 0.6  # whose change has 34 dB
    if largest < whole.scale:
        assert found.scale == pytest.approx(largest)
        assert whole.psnr < 40.1 < found.psnr
    else:
        assert found.data == whole.data


def test_a_change_of_one_channel_is_that_of_all(scene) -> None:
    original = scene(70, 50)
    change = np.random.default_rng(0).normal(0, 0.02, (70, 50, 1)).astype(np.float32)
    one, three = (
        fit_to_budget(original, each, samples=EIGHT_BITS, least_psnr=40.0, coders=ladder("PNG", 3))
        for each in (change, np.repeat(change, 3, axis=2))
    )
    assert one.data == three.data
    assert one.scale == pytest.approx(three.scale)
    apart = np.ptp(one.pixels.astype(int) - original, axis=2)
    inside = ((one.pixels > 0) & (one.pixels < 255)).all(axis=2)
    assert np.mean(apart[inside] > 0) < 0.001  # where rounding of a sum falls to either side


def test_no_scale_leaves_the_picture(scene) -> None:
    original = scene(30, 40)
    change = np.full(original.shape, 0.01)
    found = fit_to_budget(
        original, change, samples=EIGHT_BITS, least_psnr=40.0, coders=ladder("PNG", 3), largest=0.0
    )
    assert found.psnr == math.inf


def test_a_pixel_whose_every_change_is_too_much_is_coded_without() -> None:
    pixels, coders = np.full((1, 1, 3), 127, np.uint8), ladder("PNG", 3)
    change = np.array([[[0.001049, -0.005356, 0.003616]]], np.float16)
    tried = fit_to_budget(pixels, change, samples=EIGHT_BITS, least_psnr=43.875, coders=coders)
    assert tried is None
    found = code_without_change(pixels, EIGHT_BITS, 43.875, coders)
    assert found is not None
    assert math.isinf(found.psnr)
    assert found.scale == 0


def scaled(
    original: np.ndarray, change: np.ndarray, *, wrong: float = 1.0, step: float = 0.0
) -> tuple[ScaledCoder, list[float]]:
    """Return a coder whose error is foreseen wrong by a factor, and the scales that it is given."""
    tried: list[float] = []

    def arrived(scale: float) -> np.ndarray:
        return np.rint(scale / step) * step if step else scale

    def code(scale: float) -> bytes:
        tried.append(scale)
        return str(float(arrived(scale))).encode()

    def decode(data: bytes) -> np.ndarray:
        return _changed(original, change, float(data), 255)

    def error(scale: float) -> float:
        return wrong * (float(arrived(scale)) ** 2 * np.mean(change**2) + 1 / 12 / 255**2)

    return ScaledCoder("scaled", 4.0, code, decode, error), tried


@pytest.mark.parametrize("wrong", [1.0, 0.8, 1.25, 3.0])
def test_a_foreseen_scale_takes_few_attempts(wrong: float) -> None:
    original = np.full((120, 120, 3), 128, np.uint8)
    change = np.random.default_rng(2).normal(0, 0.01, original.shape)
    coder, tried = scaled(original, change, wrong=wrong)
    found = fit_scale(original, coder, samples=EIGHT_BITS, least_psnr=42)
    assert found is not None
    assert 42 <= found.psnr < 42.16
    assert len(tried) <= (2 if wrong < 2 else 3)


@pytest.mark.parametrize("wrong", [1.0, 0.8, 1.25, 3.0])
@pytest.mark.parametrize("largest", [0.3, 0.6])
def test_a_foreseen_scale_is_no_larger_than_asked(wrong: float, largest: float) -> None:
    original = np.full((120, 120, 3), 128, np.uint8)
    change = np.random.default_rng(2).normal(0, 0.01, original.shape)
    coder, tried = scaled(original, change, wrong=wrong)
    found = fit_scale(original, replace(coder, largest=largest), samples=EIGHT_BITS, least_psnr=42)
    assert found is not None
    assert max(tried) == found.scale == largest
    assert len(tried) <= (1 if wrong < 2 else 2)
    assert found.psnr > 42


@pytest.mark.parametrize("step", [0.3, 1.0, 3.0])
def test_a_change_that_comes_in_steps_keeps_the_budget(step: float) -> None:
    original = np.full((60, 60, 3), 128, np.uint8)
    change = np.random.default_rng(2).normal(0, 0.006, original.shape)
    coder, tried = scaled(original, change, step=step)
    found = fit_scale(original, coder, samples=EIGHT_BITS, least_psnr=42)
    assert found is not None
    assert found.psnr >= 42
    assert len(tried) <= 6


def test_a_small_change_is_coded_once_at_the_largest_scale() -> None:
    original = np.full((60, 60, 3), 128, np.uint8)
    coder, tried = scaled(original, np.full(original.shape, 0.001))
    found = fit_scale(original, coder, samples=EIGHT_BITS, least_psnr=30)
    assert found is not None
    assert tried == [found.scale] == [4.0]


def test_no_scale_that_keeps_the_budget_gives_none() -> None:
    original = np.full((60, 60, 3), 128, np.uint8)
    coder = ScaledCoder(
        "always too much", 4.0, lambda _: b"", lambda _: original + 9, lambda _: 1e-9
    )
    assert fit_scale(original, coder, samples=EIGHT_BITS, least_psnr=42) is None
