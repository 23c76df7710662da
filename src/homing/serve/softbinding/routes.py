"""``/v1/matches``, ``/v1/manifests``, ``/v1/services``, ``/.well-known``."""

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.datastructures import UploadFile

from homing.c2pa import ALGORITHM, extract_manifest
from homing.errors import ArchiveError, EntryNotFoundError, PictureError, UsageError
from homing.images import MAGIC_LENGTH, sniff
from homing.serve.access.guard import guarded
from homing.serve.access.keys import READ
from homing.serve.http.uploads import Upload
from homing.serve.models import Failed
from homing.serve.routes import failures
from homing.serve.service import Service
from homing.serve.softbinding.matching import (
    matches_of_binding,
    matches_of_picture,
    refuse_other_algorithm,
)
from homing.serve.softbinding.models import (
    SPECIFICATION,
    Algorithm,
    Algorithms,
    BindingQuery,
    Capabilities,
    Discovery,
    Matches,
    Status,
)

_API = "/v1"
_LONGEST_VALUE = 4096  # characters, in an address
_LONGEST_QUERY = 1 << 18  # bytes, in a body
_SPOOLED = 1 << 20  # bytes of a picture that stay in memory

_PICTURE = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_PICTURE_BODY = {"required": True, "content": {"image/*": _PICTURE}}

Most = Annotated[int, Query(alias="maxResults", ge=1, description="Manifests, at most.")]
_OURS = {"enum": [ALGORITHM]}
Alg = Annotated[
    str, Query(description="Name of the soft binding's algorithm.", json_schema_extra=_OURS)
]
MaybeAlg = Annotated[
    str | None, Query(description="The one algorithm to look by.", json_schema_extra=_OURS)
]


def router() -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["soft binding resolution"])
    for part in (_matching_bindings(), _matching_pictures(), _fetching(), _telling()):
        routes.include_router(part)
    return routes


def _reading(right: str | None) -> type[APIRoute]:
    """Class of routes that ask the guard first, and call what makes no sense 400, as C2PA does."""

    class Reading(guarded(right)):  # type: ignore[misc]
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    answer: Response = await handle(request)
                except RequestValidationError as error:
                    raise HTTPException(400, _problem(error)) from error
                except EntryNotFoundError as error:
                    raise HTTPException(404, str(error)) from error
                except (PictureError, UsageError) as error:
                    if isinstance(error, PictureError):
                        _service(request).metrics.unreadable()
                    raise HTTPException(400, str(error)) from error
                return answer

            return handler

    return Reading


def _failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    # Without "4XX" FastAPI describes a 422 that there is not.
    return {**failures(400, *codes), "4XX": {"model": Failed, "description": "It was refused."}}


def _matches() -> APIRouter:
    return APIRouter(prefix=f"{_API}/matches", route_class=_reading(READ))


def _matching_bindings() -> APIRouter:
    routes = _matches()

    @routes.get(
        "/byBinding",
        response_model=Matches,
        response_model_exclude_none=True,
        responses={**_failures(), 414: {"model": Failed, "description": "Send it by POST."}},
    )
    async def by_binding(
        request: Request,
        alg: Alg,
        value: Annotated[str, Query(description="Of the soft binding, in base64.")],
        most: Most = 10,
    ) -> Matches:
        """Find the manifests that belong to a soft binding."""
        if len(value) > _LONGEST_VALUE:
            raise HTTPException(
                414, f"the value has more than {_LONGEST_VALUE} characters; send it by POST"
            )
        refuse_other_algorithm(alg)
        return Matches(matches=await matches_of_binding(_service(request), value, most))

    @routes.post(
        "/byBinding",
        response_model=Matches,
        response_model_exclude_none=True,
        responses=_failures(413, 415),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": BindingQuery.model_json_schema()}},
            }
        },
    )
    async def by_large_binding(request: Request, most: Most = 10) -> Matches:
        """Find the manifests that belong to a soft binding too long for an address."""
        query = await _query_of(request)
        refuse_other_algorithm(query.alg)
        return Matches(matches=await matches_of_binding(_service(request), query.value, most))

    return routes


def _matching_pictures() -> APIRouter:
    routes = _matches()

    @routes.post(
        "/byContent",
        response_model=Matches,
        response_model_exclude_none=True,
        responses=_failures(413, 415),
        openapi_extra={"requestBody": _PICTURE_BODY},
    )
    async def by_content(
        request: Request,
        alg: MaybeAlg = None,
        most: Most = 10,
        hint_alg: Annotated[str | None, Query(alias="hintAlg", description="Not used.")] = None,
        hint_value: Annotated[str | None, Query(alias="hintValue", description="Not used.")] = None,
    ) -> Matches:
        """Find the manifests of what a picture is a copy of; the body is the picture's file."""
        del hint_alg, hint_value
        if alg is not None:
            refuse_other_algorithm(alg)
        async with _picture_of(request) as picture:
            return Matches(matches=await matches_of_picture(_service(request), picture, most))

    return routes


def _fetching() -> APIRouter:
    routes = APIRouter(prefix=_API, route_class=_reading(READ))

    @routes.get(
        "/manifests/{manifestId:path}",
        response_class=Response,
        responses={
            **_failures(404),
            200: {"description": "A C2PA manifest store.", "content": {"application/c2pa": {}}},
        },
    )
    async def manifest(
        request: Request,
        manifestId: str,  # noqa: N803 - C2PA's name
        alone: Annotated[
            bool,
            Query(
                alias="returnActiveManifest",
                description="Return this manifest alone, without those of what went into it.",
            ),
        ] = False,
    ) -> Response:
        """Return the manifest store of a released file, by the id of its active manifest."""
        # It has a record of its own: it need not wait for what else the archive is asked.
        fetch = _service(request).archive.manifest_store
        store = await asyncio.to_thread(fetch, manifestId)
        content = extract_manifest(store, manifestId) if alone else store
        headers = {"X-Content-Type-Options": "nosniff"}
        return Response(content, media_type="application/c2pa", headers=headers)

    return routes


def _telling() -> APIRouter:
    routes = APIRouter(route_class=_reading(None))

    @routes.get(f"{_API}/services/supportedAlgorithms", responses=failures())
    async def algorithms() -> Algorithms:
        """Name the algorithms that soft bindings may be of."""
        return Algorithms(watermarks=[], fingerprints=[Algorithm(alg=ALGORITHM)])

    @routes.get(f"{_API}/services/capabilities", responses=failures())
    async def capabilities() -> Capabilities:
        """Name the optional parts of the API that are here; others are not offered."""
        return Capabilities(
            c2paSpecificationVersion=SPECIFICATION, supportedCapabilities=["queryByContent"]
        )

    @routes.get(f"{_API}/services/status", responses=failures())
    async def status(request: Request) -> Status:
        """Tell whether the archive can be asked."""
        try:
            await _service(request).reading(lambda archive: archive.versions())
        except ArchiveError:
            state = Status(status="down", timestamp=datetime.datetime.now(datetime.UTC))
        else:
            state = Status(status="ok", timestamp=datetime.datetime.now(datetime.UTC))
        return state

    @routes.get("/.well-known/c2pa-soft-binding-resolution", responses=failures())
    async def discovery() -> Discovery:
        """Tell where the API is (RFC 8615)."""
        return Discovery(
            apiEndpoint=_API,
            c2paSpecificationVersion=SPECIFICATION,
            capabilitiesEndpoint=f"{_API}/services/capabilities",
            statusEndpoint=f"{_API}/services/status",
        )

    return routes


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _query_of(request: Request) -> BindingQuery:
    """Read a soft binding from a body."""
    if _type_of(request) != "application/json":
        raise HTTPException(415, 'send application/json: {"alg": …, "value": …}')
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_QUERY:
            raise HTTPException(413, f"a query has at most {_LONGEST_QUERY} bytes; send less")
    try:
        return BindingQuery.model_validate_json(bytes(body))
    except ValidationError as error:
        raise HTTPException(400, f"no soft binding: {_problem(error)}") from error


@asynccontextmanager
async def _picture_of(request: Request) -> AsyncIterator[Upload]:
    """Receive a picture as a body; on disk if it is large."""
    kind = _type_of(request)
    if not kind.startswith("image/"):
        raise HTTPException(415, f"send a picture as image/…, not {kind[:80] or 'untyped'!r}")
    with SpooledTemporaryFile(_SPOOLED) as spooled:
        file = UploadFile(spooled)  # type: ignore[arg-type]
        size = 0
        async for part in request.stream():
            await file.write(part)
            size += len(part)
        await file.seek(0)
        if not size:
            raise HTTPException(400, "the body is empty; send the picture's file in it")
        if not sniff(await file.read(MAGIC_LENGTH)):
            raise HTTPException(
                415, "the body is no picture of a kind that is read; send JPEG, PNG, WebP or TIFF"
            )
        yield Upload.of_file(file)


def _type_of(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _problem(error: RequestValidationError | ValidationError) -> str:
    """What is wrong first."""
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
