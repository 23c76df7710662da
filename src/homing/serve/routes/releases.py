"""``/v1/releases``, ``/v1/webhooks``, ``/v1/previews``."""

import asyncio
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from homing.serve.access.guard import guarded
from homing.serve.access.keys import WRITE
from homing.serve.http.uploads import (
    PICTURE,
    PICTURES,
    form_body,
    form_fields,
    parse_fields,
    picture_in,
    pictures_in,
    receive_form,
)
from homing.serve.jobs.store import Job
from homing.serve.models.answers import JobAnswer, PreviewAnswer, WebhookMessage, WebhookSecret
from homing.serve.models.queries import PreviewForm, ReleaseForm
from homing.serve.routes import failures
from homing.serve.service import Service, service_of
from homing.serve.token_folders import PREVIEW_NAMES

_one = APIRouter(tags=["release"], route_class=guarded(WRITE))
_several = APIRouter(tags=["release"], route_class=guarded(WRITE, many=True))
ROUTERS = (_several, _one)
WEBHOOKS = APIRouter(tags=["release"], generate_unique_id_function=lambda route: route.name)

_CHUNK = 1 << 18  # bytes

Token = Annotated[str, PathParameter(max_length=100)]


@_several.post(
    "/v1/releases",
    status_code=202,
    response_model=JobAnswer,
    responses=failures(400, 413, 415, 422),
    openapi_extra={"requestBody": form_body(PICTURES, form_fields(ReleaseForm))},
)
async def release(request: Request) -> JSONResponse:
    """Release pictures: they are stored, and activated one after the other.

    Once this has answered, the pictures are on disk, and are released even if the service is
    killed: it continues when it starts next. `/v1/releases/JOB` reports the progress, and
    `webhook` is notified of the end.
    """
    service = service_of(request)
    async with receive_form(request, pictures=service.settings.most_pictures) as form:
        options = parse_fields(ReleaseForm, form)
        uploads = pictures_in(form)
        webhook = service.releases.webhook(options.webhook, request.state.caller.id)
        job = await service.releases.release(uploads, options.activation(), options.prefix, webhook)
    place = service.settings.at(f"/v1/releases/{job.token}")
    return JSONResponse(_public_job(service, job), 202, {"Location": place})


@_one.get("/v1/webhooks/secret", response_model=WebhookSecret, responses=failures())
async def get_webhook_secret(request: Request) -> JSONResponse:
    """Return what the receivers of this key's webhooks verify messages with.

    The signature is that of Standard Webhooks.
    """
    secret = service_of(request).releases.webhook_secret(request.state.caller.id)
    return JSONResponse({"secret": secret}, headers={"Cache-Control": "no-store"})


@_one.get("/v1/releases/{job}", response_model=JobAnswer, responses=failures(404, 422))
async def get_release(request: Request, job: Token) -> JSONResponse:
    """Return the progress of a release, and the outcome of each picture."""
    service = service_of(request)
    return JSONResponse(_public_job(service, await _job_of(service, job)))


@_one.get(
    "/v1/releases/{job}/files.zip",
    response_class=StreamingResponse,
    responses={**failures(404, 409, 422), 200: {"content": {"application/zip": {}}}},
)
async def get_released_files(request: Request, job: Token) -> StreamingResponse:
    """Return the released files as one zip, once the release is done."""
    service = service_of(request)
    found = await _job_of(service, job)
    if found.state != "done":
        raise HTTPException(409, f"this release is {found.state}; come again when it is done")
    ids = [outcome["id"] for outcome in found.outcomes if "file" in outcome]
    places = await service.call_archive(lambda archive: archive.sources().places(ids))
    named = [
        (str(PurePosixPath(id_).with_suffix(place.suffix)), place)
        for id_, place in places.files.items()
        if not isinstance(place, str)
    ]
    return StreamingResponse(
        _zip(named),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="released.zip"'},
    )


@_one.post(
    "/v1/previews",
    response_model=PreviewAnswer,
    responses=failures(400, 413, 415, 422),
    openapi_extra={"requestBody": form_body(PICTURE, form_fields(PreviewForm))},
)
async def preview(request: Request) -> JSONResponse:
    """Show the change that a release would make to a picture; nothing is recorded.

    The pictures are PNGs at 100 %, of the middle of a large one; the difference is shown twenty
    times as strong.
    """
    async with receive_form(request) as form:
        options = parse_fields(PreviewForm, form)
        service = service_of(request)
        answer = await service.releases.preview(picture_in(form), options.activation())
    return JSONResponse(
        answer | {name: service.settings.at(answer[name]) for name in PREVIEW_NAMES}
    )


@_one.get(
    "/v1/previews/{token}/{name}.png",
    response_class=FileResponse,
    responses={**failures(404, 422), 200: {"content": {"image/png": {}}}},
)
async def get_preview_picture(request: Request, token: Token, name: Token) -> FileResponse:
    """Return a picture of one of the last previews."""
    previews = service_of(request).releases.previews
    file = await asyncio.to_thread(previews.get, token, name)
    if file is None:
        names = ", ".join(PREVIEW_NAMES)
        raise HTTPException(404, f"this preview ({names}) does not exist, or no longer does")
    return FileResponse(file, media_type="image/png")


@WEBHOOKS.post(
    "release_ended",
    status_code=204,
    responses={"4XX": {"description": "It is sent again later; after 410 it is not."}},
)
def release_ended(message: WebhookMessage) -> None:
    """Tell a webhook that a release has ended; it answers with 2xx.

    Any other answer, or none within 15 seconds, is repeated after 5 seconds, 1, 5 and 30 minutes, 2
    and 8 hours; 410 is not.
    """


def _public_job(service: Service, job: Job) -> dict[str, Any]:
    """Return a job with the addresses of its files as clients see them."""
    values = job.as_dict()
    outcomes = [
        each | {"file": service.settings.at(each["file"])} if "file" in each else each
        for each in values["outcomes"]
    ]
    return values | {"outcomes": outcomes}


async def _job_of(service: Service, token: str) -> Job:
    job = await asyncio.to_thread(service.releases.jobs.get, token)
    if job is None:
        raise HTTPException(404, "there is no such release; check the token")
    return job


class _Buffer(io.RawIOBase):
    """Holds written bytes until they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        return len(part)

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _zip(files: Sequence[tuple[str, Path]]) -> Iterator[bytes]:
    """Yield a zip of named files, stored as they are: pictures are compressed already.

    A file that is gone when its turn comes is left out.
    """
    out = _Buffer()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            try:
                source = path.open("rb")
            except OSError:
                continue
            with source, archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                while chunk := source.read(_CHUNK):
                    entry.write(chunk)
                    yield out.take()
    yield out.take()
