"""What all pages have around them, and what becomes of their failures."""

from collections.abc import Callable

from fastapi import APIRouter, HTTPException, Request, Response

from homing.serve.access.guard import COOKIE, guarded
from homing.serve.access.keys import READ, WRITE
from homing.serve.pages.rendering import Render
from homing.serve.pages.views import Site
from homing.serve.service import Service

Tell = Callable[[Request, int, str], Response]

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
    return Site(service.name, (), may_read=False, signed_in=False)


def site_of(request: Request) -> Site:
    """Frame of a page for a caller who was let in."""
    pages = [("/", "Search"), ("/browse", "Browse")]
    if request.state.caller.rights == WRITE:
        pages.append(("/publish", "Publish"))
    pages.append(("/status", "Status"))
    service = service_of(request)
    return Site(service.name, tuple(pages), True, COOKIE in request.cookies)


def guarded_pages(right: str) -> APIRouter:
    """Router of pages that the guard is asked for."""
    return APIRouter(route_class=guarded(right), include_in_schema=False)


def failure_page(render: Render) -> Tell:
    """Return what tells of a failure on a page: from the request, the status and the reason."""

    def tell(request: Request, status: int, message: str) -> Response:
        return render(
            "problem",
            status=status,
            site=_site_of_anyone(request),
            here="",
            heading=_HEADINGS.get(status, "This could not be done"),
            message=message[:1].upper() + message[1:] + ".",
        )

    return tell


def _site_of_anyone(request: Request) -> Site:
    """Frame of a page also for those who were not let in; who may read sees where else to go."""
    if not hasattr(request.state, "caller"):
        try:
            request.state.caller = service_of(request).guard.admit(request, READ)
        except HTTPException:
            return open_site(service_of(request))
    return site_of(request)
