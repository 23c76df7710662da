"""Files of pictures to encode."""

import pytest


@pytest.fixture
def files(tmp_path, make_noise):
    for number in range(5):
        make_noise(number).save(tmp_path / f"{number}.png")
    return sorted(tmp_path.glob("*.png"))
