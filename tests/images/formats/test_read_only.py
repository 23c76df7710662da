"""Picture formats that are read but never written."""

import numpy as np
import pytest

from homing.images import read_squashed
from tests.helpers.picture_files import opened, saved, scene, squashed_by_pillow


@pytest.mark.parametrize("kind", ["BMP", "JPEG2000", "GIF", "AVIF"])
def test_other_kinds_are_read_as_squares(kind: str) -> None:
    data = saved(scene(30, 46), kind)
    assert np.abs(read_squashed(data, 32) - squashed_by_pillow(opened(data))).max() <= 1
