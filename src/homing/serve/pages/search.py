"""``/`` and ``/found``: is this picture one of ours?"""

import asyncio
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from homing.errors import EntryNotFoundError, PictureError
from homing.options import SearchOptions
from homing.serve.access.keys import READ
from homing.serve.http.uploads import Upload, picture_in, receive_form
from homing.serve.pages.layout import guarded_pages, render, site_of
from homing.serve.pages.views import evidence_figures, other_cards
from homing.serve.service import Service, service_of
from homing.serve.token_folders import SavedSearch

router = guarded_pages(READ)

_HITS, _VIEWS = 13, "all"  # of a page: the best hit and some others, by any view


@router.get("/")
async def form(request: Request) -> Response:
    """Return the form of a search."""
    return _form(request)


@router.post("/")
async def search(request: Request) -> Response:
    """Search without a script; with one the page posts to ``/search``."""
    service = service_of(request)
    settings = service.settings
    options = SearchOptions(k=_HITS, views=_VIEWS, files=settings.files, limits=settings.limits)
    async with receive_form(request) as sent:
        upload = picture_in(sent)
        try:
            answer = (await service.search(upload, options)).as_dict()
        except PictureError as error:
            service.metrics.count_unreadable()
            return _form(request, f"{upload.name}: {error}.")
        data = await upload.read()
    token = await asyncio.to_thread(service.saved_searches.save, answer, data)
    return RedirectResponse(f"/found/{token}", 303)


@router.get("/found/{token}")
async def found(request: Request, token: str) -> Response:
    """Return the page of a saved search."""
    service = service_of(request)
    saved = await asyncio.to_thread(service.saved_searches.get, token)
    if saved is None:
        raise HTTPException(404, "this answer does not exist, or no longer does; search once more")
    evidence = await _explain(service, saved)
    return render(
        "found",
        site_of(request),
        here="/",
        limit=service.settings.limits.max_bytes,
        evidence=evidence,
        figures=evidence_figures(evidence),
        others=other_cards(evidence, saved.answer["hits"]),
        address=str(request.url),
        lifetime=f"until {service.settings.saved_searches:,} more searches have been made",
    )


def _form(request: Request, problem: str | None = None) -> Response:
    return render(
        "search",
        site_of(request),
        here="/",
        status=200 if problem is None else 422,
        limit=service_of(request).settings.limits.max_bytes,
        problem=problem,
    )


async def _explain(service: Service, saved: SavedSearch) -> dict[str, Any]:
    """Return evidence for the best hit; for the best one now, if that entry is gone."""
    data = await asyncio.to_thread(saved.picture.read_bytes)
    upload = Upload.from_bytes(data, saved.answer["query"])
    hits = saved.answer["hits"]
    try:
        return await service.explain(upload, id=hits[0]["id"] if hits else None, views=_VIEWS)
    except EntryNotFoundError:
        return await service.explain(upload, views=_VIEWS)
