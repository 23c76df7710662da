"""Import path and photographs of the training recipe, which lies beside the package."""

import sys
from pathlib import Path

import numpy as np
import pytest

from homing.demo.generated import generated_picture

pytest.importorskip("cv2", reason="the recipe needs the extra 'train'")

TRAINING = Path(__file__).parents[2] / "training"
if str(TRAINING) not in sys.path:
    sys.path.insert(0, str(TRAINING))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Give a folder of forty generated pictures, 96 by 72 pixels."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(40):
        picture = generated_picture(np.random.default_rng([3, number]), (96, 72))
        picture.save(folder / f"{number}.png", compress_level=1)
    return folder
