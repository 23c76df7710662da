"""``/v1/entries``, ``/v1/files``, ``/v1/thumbnails``."""

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal, NoReturn

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import ValidationError

from homing.archive import Row
from homing.errors import EntryNotFoundError
from homing.images import KINDS
from homing.serve.access.guard import guarded
from homing.serve.access.keys import READ, WRITE
from homing.serve.http.names import file_address
from homing.serve.http.uploads import receive_json
from homing.serve.models.answers import EntryAnswer, EntryPage
from homing.serve.models.queries import EntryChange
from homing.serve.routes import failures
from homing.serve.service import Service, service_of

_reading = APIRouter(tags=["entries"], route_class=guarded(READ))
_writing = APIRouter(tags=["entries"], route_class=guarded(WRITE))
ROUTERS = (_reading, _writing)

Id = Annotated[str, Path(description="Id of an entry; may hold slashes.", max_length=4096)]
Text = Annotated[str | None, Query(max_length=4096)]


@_reading.get("/v1/entries", response_model=EntryPage, responses=failures(422))
async def list_entries(
    request: Request,
    prefix: Text = None,
    state: Literal["released", "added"] | None = None,
    after: Text = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> JSONResponse:
    """List entries in the order of their ids, a page at a time."""
    service = service_of(request)
    rows = await service.call_archive(
        lambda archive: archive.page(prefix=prefix or "", state=state, after=after, limit=limit)
    )
    last = rows[-1].id if len(rows) == limit else None
    return JSONResponse({"entries": [_public_entry(service, row) for row in rows], "next": last})


@_reading.get("/v1/entries/{id:path}", response_model=EntryAnswer, responses=failures(404, 422))
async def get_entry(request: Request, id: Id) -> JSONResponse:  # noqa: A002 - the column's name
    """Return all that is recorded of an entry."""
    service = service_of(request)
    return JSONResponse(_public_entry(service, await service.entry(id)))


@_reading.get(
    "/v1/files/{id:path}",
    response_class=FileResponse,
    responses={**failures(404, 422), 200: {"content": {"image/*": {}}}},
)
async def get_file(request: Request, id: Id) -> FileResponse:  # noqa: A002 - the column's name
    """Return the picture of an entry, if its file is available and the one recorded."""
    path = await _picture_file(service_of(request), id)
    kind = KINDS.get(path.suffix.lower())
    return FileResponse(
        path,
        media_type=f"image/{kind.lower()}" if kind else "application/octet-stream",
        filename=id.rsplit("/", 1)[-1],
        content_disposition_type="inline",
        headers={"X-Content-Type-Options": "nosniff"},
    )


@_reading.get(
    "/v1/thumbnails/{id:path}",
    response_class=Response,
    responses={**failures(404, 422), 200: {"content": {"image/jpeg": {}}}},
)
async def get_thumbnail(request: Request, id: Id) -> Response:  # noqa: A002 - the column's name
    """Return a small JPEG of an entry's picture, or of its preview; 304 if the client has it."""
    service = service_of(request)
    row = await service.entry(id)
    headers = {"ETag": f'"{row.file_sha256.hex()}"', "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    file = await service.picture_file(id)
    if isinstance(file, str):
        preview = await service.call_archive(lambda archive: archive.preview(id))
        small = await service.thumbnail(preview or _refuse(id, file))
    else:
        small = await service.thumbnail(file)
    return Response(small, media_type="image/jpeg", headers=headers)


@_writing.patch(
    "/v1/entries/{id:path}",
    response_model=EntryAnswer,
    responses=failures(404, 413, 422),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": EntryChange.model_json_schema()}},
        }
    },
)
async def annotate_entry(request: Request, id: Id) -> JSONResponse:  # noqa: A002 - the column's name
    """Set fields of an entry's metadata, such as a caption; return the entry."""
    service, body = service_of(request), await receive_json(request)
    try:
        fields = EntryChange.model_validate_json(body).metadata
    except ValidationError as error:
        problem: Any = error.errors(include_url=False, include_input=False)[0]
        message = f'{problem["msg"]}; send {{"metadata": {{"caption": "..."}}}}'
        raise HTTPException(422, message) from error
    await service.call_archive(lambda archive: archive.annotate({id: fields}))
    return JSONResponse(_public_entry(service, await service.entry(id)))


@_writing.delete("/v1/entries/{id:path}", status_code=204, responses=failures(404, 422))
async def remove_entry(request: Request, id: Id) -> Response:  # noqa: A002 - the column's name
    """Remove an entry from the record; its file stays."""
    if not await service_of(request).call_archive(lambda archive: archive.remove([id])):
        raise EntryNotFoundError(f"there is no entry {id!r}; nothing was removed")
    return Response(status_code=204)


def _public_entry(service: Service, row: Row) -> dict[str, Any]:
    """Return an entry for clients, without paths of this machine."""
    file = None if row.file is None else service.settings.at(file_address(row.id))
    return row.as_dict() | {"file": file}


async def _picture_file(service: Service, id: str) -> FilePath:  # noqa: A002 - the column's name
    await service.entry(id)
    file = await service.picture_file(id)
    return _refuse(id, file) if isinstance(file, str) else file


def _refuse(id: str, reason: str) -> NoReturn:  # noqa: A002 - the column's name
    raise HTTPException(404, f"the picture of {id!r} is not available: {reason}")
