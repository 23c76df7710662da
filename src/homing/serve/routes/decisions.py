"""``/v1/decisions``: what people decided about pictures and entries."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from homing.serve.access.guard import guarded
from homing.serve.access.keys import READ, WRITE
from homing.serve.http.uploads import (
    PICTURE,
    Upload,
    form_body,
    form_fields,
    parse_fields,
    picture_in,
    receive_form,
)
from homing.serve.models.answers import DecisionAnswer, DecisionPage
from homing.serve.models.queries import DecisionForm
from homing.serve.routes import failures
from homing.serve.service import Service, service_of

_reading = APIRouter(tags=["decisions"], route_class=guarded(READ))
_writing = APIRouter(tags=["decisions"], route_class=guarded(WRITE))
ROUTERS = (_reading, _writing)

_BODY = form_body(PICTURE, form_fields(DecisionForm))
_BODY["content"]["multipart/form-data"]["schema"]["required"] = ["id", "decision"]


@_writing.post(
    "/v1/decisions",
    status_code=201,
    response_model=DecisionAnswer,
    responses=failures(400, 404, 413, 415, 422),
    openapi_extra={"requestBody": _BODY},
)
async def decide(request: Request) -> JSONResponse:
    """Decide that a picture is a copy of an entry, or is not.

    The picture is the file `picture` of the form, or that of the saved search `token`. Who decided
    is the holder of the key.
    """
    service, by = service_of(request), request.state.caller.name
    async with receive_form(request) as form:
        fields = parse_fields(DecisionForm, form)
        upload = picture_in(form) if fields.token is None else await _saved(service, fields.token)
        copy = fields.decision == "copy"
        kept = await service.decide(upload, fields.id, copy=copy, by=by)
    place = service.settings.at(f"/v1/decisions?after={kept.number - 1}")
    return JSONResponse(kept.as_dict(), 201, {"Location": place})


@_reading.get("/v1/decisions", response_model=DecisionPage, responses=failures(422))
async def list_decisions(
    request: Request,
    id: Annotated[str | None, Query(max_length=4096)] = None,  # noqa: A002 - the column's name
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> JSONResponse:
    """List the decisions, or those on an entry, by their numbers, a page at a time."""
    found = await service_of(request).call_archive(lambda archive: archive.decisions(id))
    page = [each for each in found if each.number > after][:limit]
    last = page[-1].number if len(page) == limit else None
    return JSONResponse({"decisions": [each.as_dict() for each in page], "next": last})


@_writing.delete("/v1/decisions/{number}", status_code=204, responses=failures(404, 422))
async def undo_decision(request: Request, number: Annotated[int, Path(ge=1)]) -> Response:
    """Undo a decision."""
    by = request.state.caller.name
    await service_of(request).call_archive(lambda archive: archive.undo_decision(number, by=by))
    return Response(status_code=204)


async def _saved(service: Service, token: str) -> Upload:
    """Return the picture of a saved search."""
    saved = await asyncio.to_thread(service.saved_searches.get, token)
    if saved is None:
        raise HTTPException(404, "this saved search does not exist, or no longer does")
    return Upload.from_bytes(
        await asyncio.to_thread(saved.picture.read_bytes), saved.answer["query"]
    )
