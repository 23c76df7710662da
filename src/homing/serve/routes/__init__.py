"""The routes of the API, by what they are about."""

from typing import Any

from homing.serve.models import Failed

__all__ = ["failures"]

_REASONS = {
    400: "The request is not sound.",
    401: "A key is needed.",
    403: "The key may not do that, or the request comes from a page of another site.",
    404: "It is not there.",
    409: "It cannot be done now.",
    413: "Too much was sent.",
    415: "The body is of another type.",
    422: "The picture cannot be read, or an option makes no sense.",
    429: "Too many requests of this key.",
    503: "Too many requests at once.",
}


def failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Describe the ways in which a route fails, for OpenAPI; those of all routes are among them."""
    wanted = {401, 403, 429, 503, *codes}
    return {code: {"model": Failed, "description": _REASONS[code]} for code in sorted(wanted)}
