"""The file ``results.json`` of both commands."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homing._version import __version__

_PACKAGES = (
    "torch", "numpy", "pillow", "augly", "imagehash", "pdqhash", "opencv-python-headless"
)  # fmt: skip


def write_results(out: Path, values: Mapping[str, Any], *, seconds: float) -> None:
    """Write ``results.json``: versions, seconds that the run took, and results."""
    out.mkdir(parents=True, exist_ok=True)
    made_by = {
        "homing": __version__,
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "seconds": round(seconds, 1),
    }
    text = json.dumps({**made_by, **values}, ensure_ascii=False, indent=2)
    (out / "results.json").write_text(text + "\n", encoding="utf-8")
