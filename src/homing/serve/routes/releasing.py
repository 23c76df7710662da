"""``/release``, ``/releases``, ``/preview``."""

import asyncio
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from homing.serve.access.guard import guarded
from homing.serve.access.keys import WRITE
from homing.serve.http.uploads import (
    PICTURE,
    PICTURES,
    form_body,
    form_of,
    picture_in,
    pictures_in,
)
from homing.serve.http.zipped import zipped
from homing.serve.jobs.previews import PREVIEW_NAMES
from homing.serve.jobs.store import Job
from homing.serve.models import JobAnswer, PreviewAnswer, PreviewForm, ReleaseForm
from homing.serve.routes import failures
from homing.serve.service import Service

_Form = TypeVar("_Form", bound=BaseModel)

Token = Annotated[str, Path(max_length=100)]


def router() -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["release"])
    routes.include_router(_releasing())
    routes.include_router(_following())
    routes.include_router(_previewing())
    return routes


def _releasing() -> APIRouter:
    routes = APIRouter(route_class=guarded(WRITE, many=True))

    @routes.post(
        "/release",
        status_code=202,
        response_model=JobAnswer,
        responses=failures(400, 413, 415, 422),
        openapi_extra={"requestBody": form_body(PICTURES, _fields(ReleaseForm))},
    )
    async def release(request: Request) -> JSONResponse:
        """Release pictures: they are taken in, and activated one after the other.

        Once this has answered, the pictures are on disk, and are released even if the service
        is killed: it goes on when it starts next. Ask `/releases/JOB` how far it is.
        """
        service: Service = request.app.state.service
        async with form_of(request, pictures=service.settings.most_pictures) as form:
            options = _options(ReleaseForm, form)
            uploads = pictures_in(form)
            job = await service.publishing.release(uploads, options.activation(), options.prefix)
        return JSONResponse(job.as_dict(), 202, {"Location": f"/releases/{job.token}"})

    return routes


def _following() -> APIRouter:
    routes = APIRouter(route_class=guarded(WRITE))

    @routes.get("/releases/{job}", response_model=JobAnswer, responses=failures(404, 422))
    async def progress(request: Request, job: Token) -> JSONResponse:
        """Tell how far a release is, and what became of each picture."""
        found = await _job_of(request.app.state.service, job)
        return JSONResponse(found.as_dict())

    @routes.get(
        "/releases/{job}/files.zip",
        response_class=StreamingResponse,
        responses={**failures(404, 409, 422), 200: {"content": {"application/zip": {}}}},
    )
    async def files(request: Request, job: Token) -> StreamingResponse:
        """Return the released files as one zip, once the release is done."""
        service: Service = request.app.state.service
        found = await _job_of(service, job)
        if found.state != "done":
            raise HTTPException(409, f"this release is {found.state}; come again when it is done")
        ids = [outcome["id"] for outcome in found.outcomes if "file" in outcome]
        places = await service.reading(lambda archive: archive.sources().places(ids))
        named = [
            (str(PurePosixPath(id_).with_suffix(place.suffix)), place)
            for id_, place in places.files.items()
            if not isinstance(place, str)
        ]
        return StreamingResponse(
            zipped(named),
            media_type="application/zip",
            headers={"Content-Disposition": 'attachment; filename="released.zip"'},
        )

    return routes


def _previewing() -> APIRouter:
    routes = APIRouter(route_class=guarded(WRITE))

    @routes.post(
        "/preview",
        response_model=PreviewAnswer,
        responses=failures(400, 413, 415, 422),
        openapi_extra={"requestBody": form_body(PICTURE, _fields(PreviewForm))},
    )
    async def preview(request: Request) -> JSONResponse:
        """Show what releasing would do to a picture; nothing is recorded.

        The pictures are PNGs at 100 %, of the middle of a large one; the difference is shown
        twenty times as strong.
        """
        service: Service = request.app.state.service
        async with form_of(request) as form:
            options = _options(PreviewForm, form)
            found = await service.publishing.preview(picture_in(form), options.activation())
        return JSONResponse(found)

    @routes.get(
        "/previews/{token}/{name}.png",
        response_class=FileResponse,
        responses={**failures(404, 422), 200: {"content": {"image/png": {}}}},
    )
    async def picture(request: Request, token: Token, name: Token) -> FileResponse:
        """Return a picture of one of the last previews."""
        service: Service = request.app.state.service
        file = await asyncio.to_thread(service.publishing.previews.get, token, name)
        if file is None:
            raise HTTPException(
                404, f"there is no such preview ({', '.join(PREVIEW_NAMES)}), or no longer"
            )
        return FileResponse(file, media_type="image/png")

    return routes


async def _job_of(service: Service, token: str) -> Job:
    job = await asyncio.to_thread(service.publishing.jobs.get, token)
    if job is None:
        raise HTTPException(404, "there is no such release; look at the token")
    return job


def _options(model: type[_Form], form: FormData) -> _Form:
    """Fields of a form that are no files, checked."""
    values = {key: value for key, value in form.multi_items() if isinstance(value, str)}
    try:
        return model.model_validate({key: value for key, value in values.items() if value != ""})
    except ValidationError as error:
        problems: Any = error.errors(include_url=False, include_input=False)
        told = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in problems)
        raise HTTPException(422, told) from error


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI's description of such fields."""
    properties: dict[str, Any] = model.model_json_schema()["properties"]
    return properties
