"""Layout of all pages: templates, headers, navigation, and the page of a failure."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

from homing.html import load_templates
from homing.serve.access.guard import guarded
from homing.serve.access.keys import READ, WRITE
from homing.serve.http.names import file_address, thumbnail_address
from homing.serve.service import Service, service_of

#: Nothing from elsewhere and nothing inline: neither style, nor script, nor frame.
_POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",  # an archive is not for everyone who sits down at a browser
}
_HEADINGS = {
    403: "This is not allowed",
    404: "There is no such thing here",
    413: "That is too much at once",
    429: "That was too often",
}


def _between(text: str, mark: str) -> Markup:
    """Return text as HTML, what stands between two marks as code."""
    parts = text.split(mark)
    made = (
        Markup("<code>{}</code>").format(each) if number % 2 else escape(each)
        for number, each in enumerate(parts)
    )
    return Markup("").join(made)


_TEMPLATES = load_templates(
    "homing.serve.pages",
    entry_address=lambda name: f"/browse/{quote(name)}",
    file_address=file_address,
    thumbnail_address=thumbnail_address,
    marked=lambda text: _between(text, "`"),
    breakable=lambda path: Markup("<wbr>/").join(path.split("/")),
)


@dataclass(frozen=True)
class Site:
    """Frame that every page shows around its content."""

    archive: str  # its name
    base: str  # path below which the service is
    pages: tuple[tuple[str, str], ...]  # address and name of each page that may be visited
    may_read: bool
    signed_in: bool


def render(
    name: str, site: Site, *, here: str = "", status: int = 200, **values: Any
) -> HTMLResponse:
    """Render the template of a name; `here` is the address of the page in the navigation."""
    template = _TEMPLATES.get_template(f"templates/{name}.html.j2")
    page = template.render(values, site=site, here=here)
    return HTMLResponse(page, status, headers=_HEADERS)


def guarded_pages(right: str) -> APIRouter:
    """Return a router of pages that need a right."""
    return APIRouter(route_class=guarded(right), include_in_schema=False)


def closed_site(service: Service) -> Site:
    """Return the site for anyone, which leads nowhere."""
    return Site(service.name, service.settings.base_path, (), may_read=False, signed_in=False)


def site_of(request: Request) -> Site:
    """Return the site for a caller who was admitted."""
    pages = [("/", "Search"), ("/browse", "Browse")]
    if request.state.caller.rights == WRITE:
        pages.append(("/publish", "Publish"))
    pages.append(("/status", "Status"))
    service = service_of(request)
    signed_in = service.guard.cookie in request.cookies
    base = service.settings.base_path
    return Site(service.name, base, tuple(pages), may_read=True, signed_in=signed_in)


def failure_page(request: Request, status: int, message: str) -> HTMLResponse:
    """Return the page of a failure."""
    return render(
        "problem",
        site_of_anyone(request),
        status=status,
        heading=_HEADINGS.get(status, "This could not be done"),
        message=message[:1].upper() + message[1:] + ".",
    )


def site_of_anyone(request: Request) -> Site:
    """Return the site also for callers who were not admitted; readers see where else to go."""
    if not hasattr(request.state, "caller"):
        try:
            request.state.caller = service_of(request).guard.admit(request, READ)
        except HTTPException:
            return closed_site(service_of(request))
    return site_of(request)
