"""A service over HTTP: one archive searched by people in a browser and by programs.

An interface to the archive, as the command line is: it parses, calls the archive and renders. Needs
the extra ``serve``; without it only this module, ``settings`` and ``access.keys`` can be imported.
"""

from homing.extras import require_packages

__all__ = ["require_extra"]

_PACKAGES = {
    "fastapi": "fastapi",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
    "uvicorn": "uvicorn",
}


def require_extra() -> None:
    """Raise `UsageError` with the command to install it where the extra ``serve`` is missing."""
    require_packages("serve", _PACKAGES)
