"""The routes of the API by subject, and how they are described to fail."""

from typing import Any

from fastapi import Request

from homing.serve.models.answers import Failed

__all__ = ["accepts_page", "failures"]

_REASONS = {
    400: "The request is malformed.",
    401: "A key is needed.",
    403: "The key lacks the right, or the request comes from a page of another site.",
    404: "It does not exist.",
    408: "The body came too slowly.",
    409: "It cannot be done now.",
    413: "Too much was sent.",
    415: "The body is of another type.",
    422: "The picture cannot be read, or an option is invalid.",
    429: "Too many requests of this key, or too many at once.",
    503: "Too many requests at once.",
}


def failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Describe a route's failures for OpenAPI: these codes, and those of all routes."""
    codes_of_all = {401, 403, 408, 429, 503, *codes}
    return {code: {"model": Failed, "description": _REASONS[code]} for code in sorted(codes_of_all)}


def accepts_page(request: Request) -> bool:
    """Return whether a request comes from a browser, which wants a page."""
    return "text/html" in request.headers.get("accept", "")
