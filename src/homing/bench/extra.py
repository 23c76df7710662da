"""Packages of the extra ``bench``."""

from homing.extras import require_packages

_PACKAGES = {
    "augly": "augly",
    "imagehash": "imagehash",
    "matplotlib": "matplotlib",
    "pdqhash": "pdqhash",
    "skimage": "scikit-image",
}


def require_extra() -> None:
    """Raise `UsageError`, with the command that installs it, if a package is missing."""
    require_packages("bench", _PACKAGES)
