"""``/search``, ``/search/batch``, ``/explain``."""

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
    form_of,
    picture_in,
    pictures_in,
)
from homing.serve.models import (
    Explained,
    KeepingQuery,
    Rate,
    SearchAnswer,
    SearchQuery,
    VectorQuery,
    Views,
)
from homing.serve.routes import failures
from homing.serve.service import Service

_JSON = "application/json"


def router() -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["search"])
    routes.include_router(_one())
    routes.include_router(_several())
    return routes


def _one() -> APIRouter:
    routes = APIRouter(route_class=guarded(READ))
    body = form_body(PICTURE)
    body["content"][_JSON] = {"schema": VectorQuery.model_json_schema()}

    @routes.post(
        "/search",
        response_model=SearchAnswer,
        responses=failures(400, 413, 415, 422),
        openapi_extra={"requestBody": body},
    )
    async def search(request: Request, options: Annotated[KeepingQuery, Query()]) -> JSONResponse:
        """Find what a picture, or a descriptor of one, is a copy of.

        The picture is the file `picture` of a form. A descriptor is `{"vector": [...]}`.
        """
        service: Service = request.app.state.service
        asked = options.asked(service.settings)
        if request.headers.get("content-type", "").partition(";")[0].strip() == _JSON:
            vector = await _vector_of(request)
            return JSONResponse((await service.search_vector(vector, asked)).as_dict())
        async with form_of(request) as form:
            upload = picture_in(form)
            answer = (await service.search(upload, asked)).as_dict()
            if options.keep:
                data = await upload.read()
                token = await asyncio.to_thread(service.kept.keep, answer, data)
                answer["permalink"] = f"/found/{token}"
        return JSONResponse(answer)

    @routes.post(
        "/explain",
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
        """Show why a picture is, or is not, taken for a copy: of the best hit, or of an entry."""
        service: Service = request.app.state.service
        async with form_of(request) as form:
            found = await service.explain(picture_in(form), id=id, views=views, rate=rate)
        return JSONResponse(found)

    return routes


def _several() -> APIRouter:
    routes = APIRouter(route_class=guarded(READ, many=True))

    @routes.post(
        "/search/batch",
        response_class=StreamingResponse,
        responses={
            **failures(400, 413, 415, 422),
            200: {
                "description": "One answer a line, in the order of the pictures.",
                "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
            },
        },
        openapi_extra={"requestBody": form_body(PICTURES)},
    )
    async def search_batch(
        request: Request, options: Annotated[SearchQuery, Query()]
    ) -> StreamingResponse:
        """Find what several pictures are copies of; answers stream while the next are worked on.

        Each line is an object as `/search` answers; of a picture that cannot be read
        `{"query", "status": "failed", "reason"}`.
        """
        service: Service = request.app.state.service
        asked = options.asked(service.settings)
        opened = form_of(request, pictures=service.settings.most_pictures)
        form = await opened.__aenter__()
        try:
            uploads = pictures_in(form)
        except HTTPException:
            await opened.__aexit__(None, None, None)
            raise

        async def lines() -> AsyncIterator[str]:
            try:
                async for result in service.search_each(uploads, asked):
                    yield json.dumps(result.as_dict()) + "\n"
            finally:
                await opened.__aexit__(None, None, None)

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    return routes


async def _vector_of(request: Request) -> list[float]:
    try:
        return VectorQuery.model_validate_json(await request.body()).vector
    except ValidationError as error:
        problem: Any = error.errors(include_url=False, include_input=False)[0]
        raise HTTPException(
            422, f'the vector cannot be used: {problem["msg"]}; send {{"vector": [numbers]}}'
        ) from error
