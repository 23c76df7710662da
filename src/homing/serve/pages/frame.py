"""What all pages have around them, and what becomes of their failures."""

from collections.abc import Awaitable, Callable
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from homing.errors import EntryNotFoundError, HomingError, PictureError, UsageError
from homing.serve.guard import COOKIE, guarded
from homing.serve.keys import READ, WRITE
from homing.serve.pages.rendering import Render
from homing.serve.pages.views import Site
from homing.serve.service import Service

__all__ = ["guarded_pages", "open_site", "service_of", "site_of"]

_HEADINGS = {
    403: "This is not allowed",
    404: "There is no such thing here",
    413: "That is too much at once",
    429: "That was too often",
}


def service_of(request: Request) -> Service:
    """Return what the pages show."""
    service: Service = request.app.state.service
    return service


def open_site(service: Service) -> Site:
    """Frame of a page for whoever comes: it leads nowhere."""
    return Site(_name_of(service), (), may_read=False, signed_in=False)


def site_of(request: Request) -> Site:
    """Frame of a page for a caller who was let in."""
    pages = [("/", "Search"), ("/browse", "Browse")]
    if request.state.caller.rights == WRITE:
        pages.append(("/publish", "Publish"))
    pages.append(("/status", "Status"))
    service = service_of(request)
    return Site(_name_of(service), tuple(pages), True, COOKIE in request.cookies)


def _name_of(service: Service) -> str:
    return PurePath(service.settings.archive.rstrip("/")).name


def guarded_pages(right: str, render: Render) -> APIRouter:
    """Router of pages that the guard is asked for; what fails is told on a page as well.

    Parameters
    ----------
    right : {"read", "write"}
        What is needed.
    render : callable
        As :func:`homing.serve.pages.rendering.renderer` makes it.
    """
    asking: Any = guarded(right)

    class Told(asking):  # type: ignore[misc]
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    answer: Response = await handle(request)
                except (HTTPException, HomingError) as error:
                    if isinstance(error, HTTPException) and error.status_code == 401:
                        raise  # leads to the sign-in
                    return _told(request, error, render)
                return answer

            return handler

    return APIRouter(route_class=Told, include_in_schema=False)


def _told(request: Request, error: HTTPException | HomingError, render: Render) -> Response:
    status = _status_of(error)
    message = str(error.detail if isinstance(error, HTTPException) else error)
    return render(
        "problem",
        status=status,
        site=_site_of_anyone(request),
        here="",
        heading=_HEADINGS.get(status, "This could not be done"),
        message=message[:1].upper() + message[1:] + ".",
    )


def _site_of_anyone(request: Request) -> Site:
    """Frame of a page also for those who were not let in; who may read sees where else to go."""
    if not hasattr(request.state, "caller"):
        try:
            request.state.caller = service_of(request).guard.admit(request, READ)
        except HTTPException:
            return open_site(service_of(request))
    return site_of(request)


def _status_of(error: HTTPException | HomingError) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    if isinstance(error, EntryNotFoundError):
        return 404
    return 422 if isinstance(error, PictureError | UsageError) else 503
