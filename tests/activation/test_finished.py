"""Full-size changes from gains on the descriptor's grid. Whole files: test_activator.py."""

import numpy as np
import pytest
from PIL import Image

from homing.activation import finished
from homing.activation.finished import full_change

SHAPES = [(1, 1), (1, 500), (500, 1), (33, 47), (16, 16), (100, 60)]


def _parts(shape: tuple[int, int], channels: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    gain = generator.normal(size=(16, 16, channels)).astype(np.float32)
    tolerance = generator.uniform(0.02, 0.2, shape).astype(np.float16)
    return gain, tolerance


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_change_is_the_gain_interpolated_times_the_tolerance(
    shape: tuple[int, int], channels: int
) -> None:
    gain, tolerance = _parts(shape, channels)
    expected = [
        Image.fromarray(gain[..., c]).resize(shape[::-1], Image.Resampling.BICUBIC)
        for c in range(channels)
    ]
    found = full_change(gain, tolerance)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found, np.stack(expected, 2) * tolerance[..., None].astype(np.float32), atol=1e-6
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_bands_do_not_show(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    gain, tolerance = _parts(shape, 3)
    whole = full_change(gain, tolerance)
    monkeypatch.setattr(finished, "_BAND_PIXELS", 130)
    np.testing.assert_allclose(full_change(gain, tolerance), whole, atol=1e-6)


def test_a_large_picture_has_its_change_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    gain, tolerance = _parts((33, 47), 3)
    whole = full_change(gain, tolerance)
    monkeypatch.setattr(finished, "_LARGE", 1000)
    half = full_change(gain, tolerance)
    assert half.dtype == np.float16
    np.testing.assert_allclose(half.astype(np.float32), whole, rtol=6e-4, atol=1e-6)


def test_no_tolerance_no_change() -> None:
    gain, tolerance = _parts((33, 47), 3)
    tolerance[10:20] = 0
    change = full_change(gain, tolerance)
    assert not change[10:20].any()
    assert change[:10].all()
