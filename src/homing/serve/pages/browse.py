"""``/browse``: the entries, and each by itself."""

from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Query, Request, Response

from homing.serve.access.keys import READ
from homing.serve.pages.layout import guarded_pages, render, site_of
from homing.serve.pages.views import entry_card, entry_facts, picture_address
from homing.serve.service import service_of

router = guarded_pages(READ)

_PAGE = 40  # entries: their thumbnails count among the requests of a key
_STATES = (("", "released or added"), ("released", "released"), ("added", "added"))

Text = Annotated[str, Query(max_length=4096)]


@router.get("/browse")
async def browse(
    request: Request,
    prefix: Text = "",
    state: Literal["", "released", "added"] = "",
    after: Text = "",
) -> Response:
    """Return a page of entries."""
    selection = {"prefix": prefix, "state": state}  # "": any
    service = service_of(request)
    rows = await service.call_archive(
        lambda archive: archive.page(
            prefix=prefix, state=state or None, after=after or None, limit=_PAGE + 1
        )
    )
    shown = rows[:_PAGE]
    more = len(rows) > len(shown)
    return render(
        "browse",
        site_of(request),
        here="/browse",
        selection=selection,
        states=_STATES,
        entries=[entry_card(row.as_dict()) for row in shown],
        heading=_heading(len(shown), selection, after, more=more),
        first=service.settings.at(_address(selection)) if after else None,
        next=service.settings.at(_address(selection, shown[-1].id)) if more else None,
    )


@router.get("/browse/{id:path}")
async def entry(request: Request, id: str) -> Response:  # noqa: A002 - the column's name
    """Return the page of an entry."""
    service = service_of(request)
    row = await service.entry(id)
    file = await service.picture_file(id)
    return render(
        "entry",
        site_of(request),
        here="/browse",
        entry=row.as_dict(),
        facts_of_entry=entry_facts(row.as_dict()),
        picture=None if isinstance(file, str) else service.settings.at(picture_address(id, file)),
        reason=file,
    )


def _address(selection: dict[str, str], after: str = "") -> str:
    query = {name: value for name, value in (selection | {"after": after}).items() if value}
    return "/browse?" + urlencode(query)


def _heading(count: int, selection: dict[str, str], after: str, *, more: bool) -> str:
    if not count:
        matching = " that matches" if any(selection.values()) else ""
        return f"There is no {'further ' if after else ''}entry{matching}."
    first = "The first " if more and not after else ""
    which = f" after {after}" if after else ""
    entries = "entry" if count == 1 else "entries"
    return f"{first}{count} {entries}{which}, in the order of their ids."
