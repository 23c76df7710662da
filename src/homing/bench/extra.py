"""The packages that measuring needs and homing itself does not."""

import importlib.util

from homing.errors import UsageError

__all__ = ["require_extra"]

_PACKAGES = {
    "augly": "augly",
    "cv2": "opencv-python-headless",
    "imagehash": "imagehash",
    "matplotlib": "matplotlib",
    "pdqhash": "pdqhash",
}


def require_extra() -> None:
    """Refuse to go on without the extra ``bench``.

    Raises
    ------
    UsageError
        A package is missing; says which, and the command that installs it.
    """
    missing = [
        package for module, package in _PACKAGES.items() if not importlib.util.find_spec(module)
    ]
    if missing:
        raise UsageError(
            f"homing bench needs {', '.join(missing)}, not installed here: "
            "pip install 'homing[bench]'"
        )
