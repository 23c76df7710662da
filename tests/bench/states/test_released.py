"""Quality of released files. Covers one function: tests/bench/test_run.py runs all of states/."""

import numpy as np
import pytest

from homing.bench.states.released import measure_quality


def test_quality_of_pixels():
    a = np.full((20, 30, 3), 100, np.uint8)
    b = a.copy()
    b[3, 4, 1] = 90
    found = measure_quality(a, b, peak=255)
    assert found.largest == 10
    assert found.psnr == pytest.approx(10 * np.log10(255**2 * a.size / 100))
    assert measure_quality(a, a, peak=255).ssim == pytest.approx(1)
    wide = measure_quality(a.astype(np.uint16) * 257, b.astype(np.uint16) * 257, peak=65535)
    assert wide.largest == pytest.approx(10)
