"""The packages that a service needs and homing itself does not."""

import importlib.util

from homing.errors import UsageError

__all__ = ["require_extra"]

_PACKAGES = {
    "cv2": "opencv-python-headless",
    "fastapi": "fastapi",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "uvicorn": "uvicorn",
}


def require_extra() -> None:
    """Refuse to go on without the extra ``serve``.

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
            f"homing serve needs {', '.join(missing)}, not installed here: "
            "pip install 'homing[serve]'"
        )
