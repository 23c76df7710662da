"""The packages that parts of homing need and homing itself does not."""

import importlib.util
from collections.abc import Mapping

from homing.errors import UsageError

EVIDENCE = {"cv2": "opencv-python-headless"}
"""What comparing pictures by local features needs."""


def missing_packages(packages: Mapping[str, str]) -> list[str]:
    """Names of the packages that are not installed; `packages` as for :func:`require_packages`."""
    return [name for module, name in packages.items() if not importlib.util.find_spec(module)]


def require_packages(extra: str, packages: Mapping[str, str]) -> None:
    """Refuse to go on without the packages of an extra.

    Parameters
    ----------
    extra : str
        Its name, and that of the command that needs it.
    packages : mapping
        From the name of a module to that of the package that has it.

    Raises
    ------
    UsageError
        A package is missing; says which, and the command that installs it.
    """
    if missing := missing_packages(packages):
        raise UsageError(
            f"homing {extra} needs {', '.join(missing)}, not installed here: "
            f"pip install 'homing[{extra}]'"
        )
