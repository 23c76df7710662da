"""``/`` and ``/found``: is this picture one of ours?"""

import asyncio
import contextlib
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from homing.errors import EntryNotFoundError, PictureError
from homing.options import SearchOptions
from homing.serve.access.keys import READ, WRITE
from homing.serve.http.uploads import Upload, parse_fields, picture_in, receive_form
from homing.serve.models.answers import SearchAnswer
from homing.serve.models.queries import DecisionForm, UndoForm
from homing.serve.pages.layout import guarded_pages, render, site_of
from homing.serve.pages.views import decision_line, evidence_figures, other_cards
from homing.serve.service import Service, service_of
from homing.serve.token_folders import SavedSearch

router = guarded_pages(READ)
deciding = guarded_pages(WRITE)

_HITS, _VIEWS = 13, "all"  # of a page: the best hit and some others, by any view


@router.get("/")
async def form(request: Request) -> Response:
    """Return the form of a search."""
    return _form(request)


@router.post("/")
async def search(request: Request) -> Response:
    """Search without a script; with one the page posts to ``/v1/search``."""
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
    return RedirectResponse(service.settings.at(f"/found/{token}"), 303)


@router.get("/found/{token}")
async def found(request: Request, token: str) -> Response:
    """Return the page of a saved search."""
    service = service_of(request)
    saved = await _saved(service, token)
    data = await asyncio.to_thread(saved.picture.read_bytes)
    evidence = await _explain(service, saved, data)
    hit = evidence["hit"] or {}
    return render(
        "found",
        site_of(request),
        here="/",
        limit=service.settings.limits.max_bytes,
        evidence=evidence,
        figures=evidence_figures(evidence),
        others=other_cards(evidence, saved.answer["hits"]),
        decision=decision_line(hit),
        undo=(hit.get("decision") or {}).get("number"),
        may_decide=request.state.caller.rights == WRITE,
        address=str(request.url),
        lifetime=f"until {service.settings.saved_searches:,} more searches have been made",
    )


@deciding.post("/found/{token}")
async def decide(request: Request, token: str) -> Response:
    """Decide on the entry that the page of a saved search shows, or undo that."""
    service, by = service_of(request), request.state.caller.name
    saved = await _saved(service, token)
    async with receive_form(request) as sent:
        if "undo" in sent:
            number = parse_fields(UndoForm, sent).undo
            with contextlib.suppress(EntryNotFoundError):  # undone by another, or pressed twice
                await service.call_archive(lambda archive: archive.undo_decision(number, by=by))
        else:
            fields = parse_fields(DecisionForm, sent)
            data = await asyncio.to_thread(saved.picture.read_bytes)
            upload = Upload.from_bytes(data, saved.answer["query"])
            await service.decide(upload, fields.id, copy=fields.decision == "copy", by=by)
    return RedirectResponse(service.settings.at(f"/found/{token}"), 303)


async def _saved(service: Service, token: str) -> SavedSearch:
    saved = await asyncio.to_thread(service.saved_searches.get, token)
    if saved is None or not _is_answer(saved.answer):
        raise HTTPException(404, "this answer does not exist, or no longer does; search once more")
    return saved


def _is_answer(values: dict[str, Any]) -> bool:
    """Return whether a saved answer has the form of one: its file may have been edited."""
    try:
        SearchAnswer.model_validate(values)
    except ValidationError:
        return False
    return True


def _form(request: Request, problem: str | None = None) -> Response:
    return render(
        "search",
        site_of(request),
        here="/",
        status=200 if problem is None else 422,
        limit=service_of(request).settings.limits.max_bytes,
        problem=problem,
    )


async def _explain(service: Service, saved: SavedSearch, data: bytes) -> dict[str, Any]:
    """Return evidence for the best hit; for the best one now, if that entry is gone."""
    upload = Upload.from_bytes(data, saved.answer["query"])
    hits = saved.answer["hits"]
    try:
        return await service.explain(upload, id=hits[0]["id"] if hits else None, views=_VIEWS)
    except EntryNotFoundError:
        return await service.explain(upload, views=_VIEWS)
