"""The recipe lies beside the package, not in it."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="the recipe needs the extra 'train'")

TRAINING = Path(__file__).parents[2] / "training"
if str(TRAINING) not in sys.path:
    sys.path.insert(0, str(TRAINING))
