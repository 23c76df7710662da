"""What all tests share."""

import os
from pathlib import Path

import pytest

# Before torch is imported: threads of tests that run beside other work must not spin.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


@pytest.fixture(scope="session")
def photos() -> Path:
    """Folder of photographs with ``train/`` and ``dev/``; tests that want it are marked."""
    default = Path(__file__).parents[2] / "shared" / "photos"
    folder = Path(os.environ.get("HOMING_PHOTOS", default))
    if not (folder / "dev").is_dir():
        pytest.skip("no photographs: set HOMING_PHOTOS to a folder with train/ and dev/")
    return folder
