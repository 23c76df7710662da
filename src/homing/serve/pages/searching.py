"""``/`` and ``/found``: is this picture one of ours?"""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from homing.errors import EntryNotFoundError, PictureError
from homing.options import SearchOptions
from homing.serve.access.keys import READ
from homing.serve.http.uploads import Upload, form_of, picture_in
from homing.serve.kept_searches import KeptSearch
from homing.serve.pages.frame import guarded_pages, service_of, site_of
from homing.serve.pages.rendering import Render
from homing.serve.pages.words import found_view
from homing.serve.service import Service

HITS, VIEWS = 13, "all"
"""What a search by a page asks for: the best hit and some others, by whatever view."""


def search_pages(render: Render) -> APIRouter:
    """Return the routes."""
    routes = guarded_pages(READ)

    def form(request: Request, problem: str | None = None) -> Response:
        limits = service_of(request).settings.limits
        return render(
            "search",
            status=200 if problem is None else 422,
            site=site_of(request),
            here="/",
            limit=limits.max_bytes,
            problem=problem,
        )

    @routes.get("/")
    async def ask(request: Request) -> Response:
        return form(request)

    @routes.post("/")
    async def search(request: Request) -> Response:
        """Search without a script; with one the page posts to ``/search``."""
        service = service_of(request)
        asked = SearchOptions(
            k=HITS, views=VIEWS, files=service.settings.files, limits=service.settings.limits
        )
        async with form_of(request) as sent:
            upload = picture_in(sent)
            try:
                answer = (await service.search(upload, asked)).as_dict()
            except PictureError as error:
                service.metrics.unreadable()
                return form(request, f"{upload.name}: {error}.")
            data = await upload.read()
        token = await asyncio.to_thread(service.kept.keep, answer, data)
        return RedirectResponse(f"/found/{token}", 303)

    @routes.get("/found/{token}")
    async def found(request: Request, token: str) -> Response:
        service = service_of(request)
        kept = await asyncio.to_thread(service.kept.get, token)
        if kept is None:
            raise HTTPException(404, "this answer is not, or no longer, kept; search once more")
        explained = await _explained(service, kept)
        limit = f"until {service.settings.kept:,} more searches have been made"
        return render(
            "found",
            site=site_of(request),
            here="/",
            limit=service.settings.limits.max_bytes,
            found=found_view(explained, kept.answer["hits"], str(request.url), limit),
        )

    return routes


async def _explained(service: Service, kept: KeptSearch) -> Mapping[str, Any]:
    """Evidence for the best hit; for what is the best by now, if that entry is gone."""
    data = await asyncio.to_thread(kept.picture.read_bytes)
    upload = Upload.of(data, kept.answer["query"])
    hits = kept.answer["hits"]
    try:
        return await service.explain(upload, id=hits[0]["id"] if hits else None, views=VIEWS)
    except EntryNotFoundError:
        return await service.explain(upload, views=VIEWS)
