"""``/v1/search``, ``/v1/search/batch``, ``/v1/explain``, ``/v1/cells``."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import ValidationError

from homing.serve.access.guard import guarded
from homing.serve.access.keys import READ
from homing.serve.http.uploads import (
    PICTURE,
    PICTURES,
    form_body,
    picture_in,
    pictures_in,
    receive_form,
    receive_json,
)
from homing.serve.models.answers import CellsAnswer, Explained, SearchAnswer, UnreadQuery
from homing.serve.models.queries import (
    CellsQuery,
    Rate,
    SavedSearchQuery,
    SearchQuery,
    VectorQuery,
    Views,
)
from homing.serve.routes import failures
from homing.serve.service import service_of

_one = APIRouter(tags=["search"], route_class=guarded(READ))
_several = APIRouter(tags=["search"], route_class=guarded(READ, many=True))
ROUTERS = (_one, _several)

_JSON = "application/json"
_BODY = form_body(PICTURE)
_BODY["content"][_JSON] = {"schema": VectorQuery.model_json_schema()}
_LINE = {
    "description": "Schema of each line.",
    "anyOf": [
        {"$ref": f"#/components/schemas/{SearchAnswer.__name__}"},
        UnreadQuery.model_json_schema(),
    ],
}


@_one.post(
    "/v1/search",
    response_model=SearchAnswer,
    responses=failures(400, 413, 415, 422),
    openapi_extra={"requestBody": _BODY},
)
async def search(request: Request, query: Annotated[SavedSearchQuery, Query()]) -> JSONResponse:
    """Find what a picture, or a descriptor of one, is a copy of.

    The picture is the file `picture` of a form. A descriptor is `{"vector": [...]}`.
    """
    service = service_of(request)
    options = query.search_options(service.settings)
    if request.headers.get("content-type", "").partition(";")[0].strip() == _JSON:
        vector = await _vector_of(request)
        return JSONResponse((await service.search_vector(vector, options)).as_dict())
    async with receive_form(request) as form:
        upload = picture_in(form)
        answer = (await service.search(upload, options)).as_dict()
        if query.keep:
            data = await upload.read()
            token = await asyncio.to_thread(service.saved_searches.save, answer, data)
            answer["permalink"] = service.settings.at(f"/found/{token}")
    return JSONResponse(answer)


@_one.post(
    "/v1/explain",
    response_model=Explained,
    responses=failures(400, 404, 413, 415, 422),
    openapi_extra={"requestBody": form_body(PICTURE)},
)
async def explain(
    request: Request,
    id: Annotated[str | None, Query(description="Compare with this entry.")] = None,  # noqa: A002
    views: Views = "all",
    rate: Rate = 1e-4,
) -> JSONResponse:
    """Return the evidence for a picture being a copy, of the best hit or of an entry."""
    async with receive_form(request) as form:
        upload = picture_in(form)
        answer = await service_of(request).explain(upload, id=id, views=views, rate=rate)
    return JSONResponse(answer)


@_one.post(
    "/v1/cells",
    response_model=CellsAnswer,
    responses=failures(400, 413, 415, 422),
    openapi_extra={"requestBody": form_body(PICTURE)},
)
async def find_cells(request: Request, query: Annotated[CellsQuery, Query()]) -> JSONResponse:
    """Number the cells in which copies of a picture would be, nearest first.

    For entries that are kept in a database under the number of their cell.
    """
    async with receive_form(request) as form:
        upload = picture_in(form)
        found = await service_of(request).cells(upload, query)
    return JSONResponse({"query": upload.name, "cells": found})


@_several.post(
    "/v1/search/batch",
    response_class=StreamingResponse,
    responses={
        **failures(400, 413, 415, 422),
        200: {
            "description": "One answer a line, in the order of the pictures.",
            "content": {"application/x-ndjson": {"schema": _LINE}},
        },
    },
    openapi_extra={"requestBody": form_body(PICTURES)},
)
async def search_batch(
    request: Request, query: Annotated[SearchQuery, Query()]
) -> StreamingResponse:
    """Find what several pictures are copies of; answers stream as they are found.

    Each line is a JSON object: what `/v1/search` answers, or why the picture cannot be read.
    """
    service = service_of(request)
    options = query.search_options(service.settings)
    received = receive_form(request, pictures=service.settings.most_pictures)
    form = await received.__aenter__()
    try:
        uploads = pictures_in(form)
    except HTTPException:
        await received.__aexit__(None, None, None)
        raise

    async def lines() -> AsyncIterator[str]:
        try:
            async for result in service.search_each(uploads, options):
                yield json.dumps(result.as_dict()) + "\n"
        finally:
            await received.__aexit__(None, None, None)

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def _vector_of(request: Request) -> list[float]:
    body = await receive_json(request)
    try:
        return VectorQuery.model_validate_json(body).vector
    except ValidationError as error:
        problem: Any = error.errors(include_url=False, include_input=False)[0]
        raise HTTPException(
            422, f'the vector cannot be used: {problem["msg"]}; send {{"vector": [numbers]}}'
        ) from error
