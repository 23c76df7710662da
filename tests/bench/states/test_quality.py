"""Quality of files: quality, visibility. tests/bench/test_run.py runs all of states/."""

import importlib.util
import math

import numpy as np
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from homing.bench.states import visibility
from homing.bench.states.quality import compare_files, measure_quality
from homing.bench.states.visibility import as_shown, measure_visibility
from homing.images import psnr
from homing.images.ssimulacra2 import ssimulacra2
from homing.options import DEFAULT_LIMITS
from tests.helpers.picture_files import scene

needs_flip = pytest.mark.skipif(
    importlib.util.find_spec("flip_evaluator") is None, reason="flip-evaluator is absent"
)


def changed(pixels, amplitude=6):
    waves = np.sin(np.arange(pixels.shape[1]) / 3)[None, :, None]
    return np.clip(np.rint(pixels + amplitude * waves), 0, 255).astype(np.uint8)


def test_quality_of_pixels():
    a = np.full((20, 30, 3), 100, np.uint8)
    b = a.copy()
    b[3, 4, 1] = 90
    found = measure_quality(a, b, peak=255, bytes_over_source=1.5)
    assert found.largest == 10
    assert found.psnr == pytest.approx(10 * np.log10(255**2 * a.size / 100))
    assert found.bytes_over_source == 1.5
    assert found.ssimulacra2 < 100
    assert found.delta_e > 0
    same = measure_quality(a, a, peak=255, bytes_over_source=1)
    assert same.ssim == pytest.approx(1)
    assert (same.ssimulacra2, same.delta_e) == (100, 0)
    wide = measure_quality(
        a.astype(np.uint16) * 257, b.astype(np.uint16) * 257, peak=65535, bytes_over_source=1
    )
    assert wide.largest == pytest.approx(10)
    assert (wide.ssimulacra2, wide.flip, wide.delta_e) == (
        found.ssimulacra2, found.flip, found.delta_e
    )  # fmt: skip


def test_files_are_compared_as_they_are(tmp_path):
    grey = scene(60, 80, 1)
    colour = changed(np.repeat(grey, 3, axis=2))
    source, file = tmp_path / "a.png", tmp_path / "b.png"
    Image.fromarray(grey[..., 0]).save(source)
    Image.fromarray(colour).save(file)
    found = compare_files((source, file, DEFAULT_LIMITS))
    assert found.psnr == psnr(np.repeat(grey, 3, axis=2), colour, peak=255)
    assert found.bytes_over_source == file.stat().st_size / source.stat().st_size
    assert found.ssimulacra2 < 100


def test_visibility_is_by_the_packages():
    a = scene(90, 110)
    b = changed(a)
    found = measure_visibility(a, b)
    assert found.ssimulacra2 == ssimulacra2(a, b, peak=255)
    wanted = deltaE_ciede2000(rgb2lab(a), rgb2lab(b))
    assert found.delta_e == pytest.approx(wanted.mean(), abs=1e-4)
    assert found.delta_e_99 == pytest.approx(np.percentile(wanted, 99), abs=1e-3)


@needs_flip
def test_flip_is_of_the_pictures():
    a = scene(90, 110)
    weak, strong = (measure_visibility(a, changed(a, amplitude)).flip for amplitude in (3, 12))
    assert 0 < weak < strong < 1
    assert measure_visibility(a, a).flip == 0


@pytest.mark.parametrize("size", [(40, 50), (3, 5), (1, 1)])
def test_grey_is_measured_as_equal_channels(size):
    a = scene(*size, 1)
    b = changed(a)
    grey = measure_visibility(a, b)
    colour = measure_visibility(*(np.repeat(each, 3, axis=2) for each in (a, b)))
    assert grey.ssimulacra2 == pytest.approx(colour.ssimulacra2)
    assert (grey.flip, grey.delta_e) == (colour.flip, colour.delta_e)


def test_without_its_package_flip_is_none(monkeypatch):
    monkeypatch.setattr(visibility, "has_flip", lambda: False)
    a = scene(20, 20)
    assert measure_visibility(a, changed(a)).flip is None


def test_large_pictures_are_shown_shrunk():
    a = scene(900, 1800)
    shown = as_shown(a, peak=255)
    assert shown.shape == (800, 1600, 3)
    wanted = Image.fromarray(a).resize((1600, 800), Image.Resampling.LANCZOS)
    assert np.array_equal(shown, np.asarray(wanted))
    assert np.array_equal(as_shown(a[:, :1600], peak=255), a[:, :1600])
    assert as_shown(a[..., :1], peak=255, side=90).shape == (45, 90, 1)
    assert as_shown(scene(1, 4000, 1), peak=255).shape == (1, 1600, 1)
    deep = a[:64, :64].astype(np.uint16) * 257
    assert np.array_equal(as_shown(deep, peak=65535), a[:64, :64])
    assert not math.isnan(measure_visibility(shown, shown).delta_e)
