"""``/entries``, ``/files``, ``/thumbnails``."""

from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from homing.archive import Row
from homing.errors import EntryNotFoundError
from homing.images import KINDS
from homing.serve.access.guard import guarded
from homing.serve.access.keys import READ, WRITE
from homing.serve.http.names import file_address
from homing.serve.models import EntryAnswer, EntryPage
from homing.serve.routes import failures
from homing.serve.service import Service

_MOST = 500

Id = Annotated[str, Path(description="Of an entry; may hold slashes.", max_length=4096)]
Text = Annotated[str | None, Query(max_length=4096)]


def router() -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["entries"])
    routes.include_router(_reading())
    routes.include_router(_writing())
    return routes


def _reading() -> APIRouter:
    routes = APIRouter(route_class=guarded(READ))

    @routes.get("/entries", response_model=EntryPage, responses=failures(422))
    async def entries(
        request: Request,
        prefix: Text = None,
        state: Literal["released", "added"] | None = None,
        after: Text = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    ) -> JSONResponse:
        """List entries in the order of their ids, a page at a time."""
        service: Service = request.app.state.service
        found = await service.reading(
            lambda archive: archive.page(prefix=prefix or "", state=state, after=after, limit=limit)
        )
        last = found[-1].id if len(found) == limit else None
        return JSONResponse({"entries": [_told(row) for row in found], "next": last})

    @routes.get("/entries/{id:path}", response_model=EntryAnswer, responses=failures(404, 422))
    async def entry(request: Request, id: Id) -> JSONResponse:  # noqa: A002 - the column's name
        """Show all that is recorded of an entry."""
        service: Service = request.app.state.service
        return JSONResponse(_told(await service.entry(id)))

    @routes.get(
        "/files/{id:path}",
        response_class=FileResponse,
        responses={**failures(404, 422), 200: {"content": {"image/*": {}}}},
    )
    async def file(request: Request, id: Id) -> FileResponse:  # noqa: A002 - the column's name
        """Return the picture of an entry, if its file is at hand and the one recorded."""
        place = await _place_of(request.app.state.service, id)
        kind = KINDS.get(place.suffix.lower())
        return FileResponse(
            place,
            media_type=f"image/{kind.lower()}" if kind else "application/octet-stream",
            filename=id.rsplit("/", 1)[-1],
            content_disposition_type="inline",
            headers={"X-Content-Type-Options": "nosniff"},
        )

    @routes.get(
        "/thumbnails/{id:path}",
        response_class=Response,
        responses={**failures(404, 422), 200: {"content": {"image/jpeg": {}}}},
    )
    async def thumbnail(request: Request, id: Id) -> Response:  # noqa: A002 - the column's name
        """Return a small JPEG of an entry's picture; not again to who has it."""
        service: Service = request.app.state.service
        row = await service.entry(id)
        headers = {"ETag": f'"{row.file_sha256.hex()}"', "Cache-Control": "private, no-cache"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        small = await service.thumbnail(await _place_of(service, id))
        return Response(small, media_type="image/jpeg", headers=headers)

    return routes


def _writing() -> APIRouter:
    routes = APIRouter(route_class=guarded(WRITE))

    @routes.delete("/entries/{id:path}", status_code=204, responses=failures(404, 422))
    async def remove(request: Request, id: Id) -> Response:  # noqa: A002 - the column's name
        """Remove an entry from the record; its file stays."""
        service: Service = request.app.state.service
        if not await service.reading(lambda archive: archive.remove([id])):
            raise EntryNotFoundError(f"there is no entry {id!r}; nothing was removed")
        return Response(status_code=204)

    return routes


def _told(row: Row) -> dict[str, Any]:
    """An entry as a client may know it: no place of this machine is in it."""
    return row.as_dict() | {"file": None if row.file is None else file_address(row.id)}


async def _place_of(service: Service, id: str) -> FilePath:  # noqa: A002 - the column's name
    await service.entry(id)
    place = await service.place(id)
    if isinstance(place, str):
        raise HTTPException(404, f"the picture of {id!r} is not at hand: {place}")
    return place
