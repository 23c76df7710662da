"""The packages that a service needs and homing itself does not."""

from homing.extras import require_packages

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
    require_packages("serve", _PACKAGES)
