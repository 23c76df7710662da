"""Pages for people: search, browse, publish, status.

Rendered here, from templates; scripts add what needs a browser, and the search works without.
"""

from fastapi import APIRouter

from homing.serve.pages.browsing import browse_pages
from homing.serve.pages.frame import Tell, failure_page
from homing.serve.pages.publishing import publish_page
from homing.serve.pages.rendering import renderer
from homing.serve.pages.searching import search_pages
from homing.serve.pages.upkeep import sign_in_page, static_files, status_page

__all__ = ["router", "teller"]


def router() -> APIRouter:
    """Return the routes of all pages, and of the files that they refer to."""
    render = renderer()
    routes = APIRouter()
    for pages in (search_pages, browse_pages, publish_page, status_page, sign_in_page):
        routes.include_router(pages(render))
    routes.include_router(static_files())
    return routes


def teller() -> Tell:
    """Return what tells people of a failure: from the request, the status and the reason."""
    return failure_page(renderer())
