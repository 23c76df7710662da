"""``/browse``: the entries, and each by itself."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from homing.serve.access.keys import READ
from homing.serve.pages.frame import guarded_pages, service_of, site_of
from homing.serve.pages.rendering import Render
from homing.serve.pages.views import Chosen
from homing.serve.pages.words import card_of, entry_view

_A_PAGE = 40  # entries: their small pictures count among the requests of a key
_STATES = (("", "released or added"), ("released", "released"), ("added", "added"))

Text = Annotated[str, Query(max_length=4096)]


def browse_pages(render: Render) -> APIRouter:
    """Return the routes."""
    routes = guarded_pages(READ)

    @routes.get("/browse")
    async def browse(
        request: Request,
        prefix: Text = "",
        state: Literal["", "released", "added"] = "",
        after: Text = "",
    ) -> Response:
        chosen = Chosen(prefix, state)
        rows = await service_of(request).reading(
            lambda archive: archive.page(
                prefix=prefix, state=state or None, after=after or None, limit=_A_PAGE + 1
            )
        )
        shown = rows[:_A_PAGE]
        more = len(rows) > len(shown)
        return render(
            "browse",
            site=site_of(request),
            here="/browse",
            chosen=chosen,
            states=_STATES,
            listed=[card_of(row.as_dict()) for row in shown],
            heading=_heading(len(shown), chosen, after, more=more),
            first=_address(chosen) if after else None,
            next=_address(chosen, shown[-1].id) if more else None,
        )

    @routes.get("/browse/{id:path}")
    async def entry(request: Request, id: str) -> Response:  # noqa: A002 - the column's name
        service = service_of(request)
        row = await service.entry(id)
        place = await service.place(id)
        return render(
            "entry",
            site=site_of(request),
            here="/browse",
            entry=entry_view(row.as_dict(), place),
        )

    return routes


def _address(chosen: Chosen, after: str = "") -> str:
    asked = {"prefix": chosen.prefix, "state": chosen.state, "after": after}
    return "/browse?" + urlencode({name: value for name, value in asked.items() if value})


def _heading(count: int, chosen: Chosen, after: str, *, more: bool) -> str:
    if not count:
        alike = " that is so" if chosen.prefix or chosen.state else ""
        return f"There is no {'further ' if after else ''}entry{alike}."
    first = "The first " if more and not after else ""
    which = f" after {after}" if after else ""
    entries = "entry" if count == 1 else "entries"
    return f"{first}{count} {entries}{which}, in the order of their ids."
