"""The packages that measuring needs and homing itself does not."""

from homing.extras import require_packages

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
    require_packages("bench", _PACKAGES)
