"""Packages that only parts of homing need, installed with its extras."""

import importlib.util
from collections.abc import Mapping

from homing.errors import UsageError

EVIDENCE = {"cv2": "opencv-python-headless"}  # to compare pictures by local features


def missing_packages(packages: Mapping[str, str]) -> list[str]:
    """Return those of the packages, given by module, that are not installed."""
    return [name for module, name in packages.items() if not importlib.util.find_spec(module)]


def require_packages(extra: str, packages: Mapping[str, str]) -> None:
    """Raise `UsageError` unless an extra's packages are installed; `packages` are by module."""
    if missing := missing_packages(packages):
        raise UsageError(
            f"homing {extra} needs {', '.join(missing)}, not installed here: "
            f"pip install 'homing[{extra}]'"
        )
