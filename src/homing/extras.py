"""Packages that only parts of homing need, installed with its extras."""

import importlib.util
from collections.abc import Mapping

from homing.errors import UsageError


def install_command(extra: str) -> str:
    """Return how an extra is installed, as long as homing is in no registry."""
    return f"pip install '.[{extra}]' in homing's folder"


def missing_packages(packages: Mapping[str, str]) -> list[str]:
    """Return those of the packages, given by module, that are not installed."""
    return [name for module, name in packages.items() if not importlib.util.find_spec(module)]


def require_packages(extra: str, packages: Mapping[str, str], doing: str = "") -> None:
    """Raise `UsageError` unless an extra's packages are installed; `packages` are by module.

    `doing` needs them; by default the command that is called like the extra.
    """
    if missing := missing_packages(packages):
        raise UsageError(
            f"{doing or f'homing {extra}'} needs {', '.join(missing)}, not installed here: "
            f"{install_command(extra)}"
        )
