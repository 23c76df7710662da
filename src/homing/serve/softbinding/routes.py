"""``/v1/matches``, ``/v1/manifests``, ``/v1/services``, ``/.well-known``."""

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
from homing.errors import EntryNotFoundError, HomingError, PictureError, UsageError
from homing.images import MAGIC_LENGTH, sniff
from homing.serve.access.guard import guarded
from homing.serve.access.keys import READ
from homing.serve.http.uploads import Upload, media_type_of, receive_json
from homing.serve.models.answers import Failed
from homing.serve.routes import failures
from homing.serve.service import service_of
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


def _c2pa_routes(right: str | None) -> type[APIRoute]:
    """Return a class of guarded routes that answer 400 to an invalid request, as C2PA does."""

    class C2paRoute(guarded(right)):  # type: ignore[misc]
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                try:
                    answer: Response = await handle(request)
                except RequestValidationError as error:
                    raise HTTPException(400, _first_problem(error)) from error
                except EntryNotFoundError as error:
                    raise HTTPException(404, _public(request, error)) from error
                except (PictureError, UsageError) as error:
                    if isinstance(error, PictureError):
                        service_of(request).metrics.count_unreadable()
                    raise HTTPException(400, _public(request, error)) from error
                return answer

            return handler

    return C2paRoute


def _public(request: Request, error: HomingError) -> str:
    return service_of(request).settings.places.left_out(str(error))


def _failures(*codes: int) -> dict[int | str, dict[str, Any]]:
    # Without "4XX" FastAPI describes a 422 that never comes.
    return {**failures(400, *codes), "4XX": {"model": Failed, "description": "It was refused."}}


_TAG = "soft binding resolution"
_reading = APIRouter(tags=[_TAG], prefix="/v1", route_class=_c2pa_routes(READ))
_open = APIRouter(tags=[_TAG], route_class=_c2pa_routes(None))
ROUTERS = (_reading, _open)

_LONGEST_VALUE = 4096  # characters, in an address
_SPOOLED = 1 << 20  # bytes of a picture that stay in memory

_PICTURE = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
_PICTURE_BODY = {"required": True, "content": {"image/*": _PICTURE}}
_BINDING = {"schema": BindingQuery.model_json_schema()}
_BINDING_BODY = {"required": True, "content": {"application/json": _BINDING}}

Limit = Annotated[int, Query(alias="maxResults", ge=1, description="Manifests, at most.")]
_OURS = {"enum": [ALGORITHM]}
Alg = Annotated[
    str, Query(description="Name of the soft binding's algorithm.", json_schema_extra=_OURS)
]
MaybeAlg = Annotated[
    str | None, Query(description="The only algorithm to search by.", json_schema_extra=_OURS)
]


@_reading.get(
    "/matches/byBinding",
    response_model=Matches,
    response_model_exclude_none=True,
    responses={**_failures(), 414: {"model": Failed, "description": "Send it by POST."}},
)
async def find_manifests_by_binding(
    request: Request,
    alg: Alg,
    value: Annotated[str, Query(description="Value of the soft binding, in base64.")],
    limit: Limit = 10,
) -> Matches:
    """Find the manifests that belong to a soft binding."""
    if len(value) > _LONGEST_VALUE:
        raise HTTPException(
            414, f"the value has more than {_LONGEST_VALUE} characters; send it by POST"
        )
    refuse_other_algorithm(alg)
    return Matches(matches=await matches_of_binding(service_of(request), value, limit))


@_reading.post(
    "/matches/byBinding",
    response_model=Matches,
    response_model_exclude_none=True,
    responses=_failures(413, 415),
    openapi_extra={"requestBody": _BINDING_BODY},
)
async def find_manifests_by_large_binding(request: Request, limit: Limit = 10) -> Matches:
    """Find the manifests that belong to a soft binding too long for an address."""
    query = await _read_query(request)
    refuse_other_algorithm(query.alg)
    return Matches(matches=await matches_of_binding(service_of(request), query.value, limit))


@_reading.post(
    "/matches/byContent",
    response_model=Matches,
    response_model_exclude_none=True,
    responses=_failures(413, 415),
    openapi_extra={"requestBody": _PICTURE_BODY},
)
async def find_manifests_by_content(
    request: Request,
    alg: MaybeAlg = None,
    limit: Limit = 10,
    hint_alg: Annotated[str | None, Query(alias="hintAlg", description="Not used.")] = None,
    hint_value: Annotated[str | None, Query(alias="hintValue", description="Not used.")] = None,
) -> Matches:
    """Find the manifests of what a picture is a copy of; the body is the picture's file."""
    del hint_alg, hint_value
    if alg is not None:
        refuse_other_algorithm(alg)
    async with _receive_picture(request) as picture:
        return Matches(matches=await matches_of_picture(service_of(request), picture, limit))


@_reading.get(
    "/manifests/{manifestId:path}",
    response_class=Response,
    responses={
        **_failures(404),
        200: {"description": "A C2PA manifest store.", "content": {"application/c2pa": {}}},
    },
)
async def get_manifest(
    request: Request,
    manifestId: str,  # noqa: N803 - C2PA's name
    alone: Annotated[
        bool,
        Query(
            alias="returnActiveManifest",
            description="Return this manifest alone, without those of its ingredients.",
        ),
    ] = False,
) -> Response:
    """Return the manifest store of a released file, by the id of its active manifest."""
    manifests = service_of(request).manifests
    store = await manifests.call_in_thread(lambda archive: archive.manifest_store(manifestId))
    content = extract_manifest(store, manifestId) if alone else store
    headers = {"X-Content-Type-Options": "nosniff"}
    return Response(content, media_type="application/c2pa", headers=headers)


@_open.get("/v1/services/supportedAlgorithms", responses=failures())
async def list_algorithms() -> Algorithms:
    """Name the algorithms of the soft bindings that are understood."""
    return Algorithms(watermarks=[], fingerprints=[Algorithm(alg=ALGORITHM)])


@_open.get("/v1/services/capabilities", responses=failures())
async def list_capabilities() -> Capabilities:
    """Name the optional parts of the API that are offered."""
    return Capabilities(
        c2paSpecificationVersion=SPECIFICATION, supportedCapabilities=["queryByContent"]
    )


@_open.get("/v1/services/status", responses=failures())
async def get_binding_status(request: Request) -> Status:
    """Report whether the archive can be searched."""
    well = await service_of(request).is_well()
    return Status(status="ok" if well else "down", timestamp=datetime.datetime.now(datetime.UTC))


@_open.get("/.well-known/c2pa-soft-binding-resolution", responses=failures())
async def discover_bindings(request: Request) -> Discovery:
    """Return the addresses of the API (RFC 8615)."""
    at = service_of(request).settings.at
    return Discovery(
        apiEndpoint=at("/v1"),
        c2paSpecificationVersion=SPECIFICATION,
        capabilitiesEndpoint=at("/v1/services/capabilities"),
        statusEndpoint=at("/v1/services/status"),
    )


async def _read_query(request: Request) -> BindingQuery:
    """Read a soft binding from a body."""
    if media_type_of(request) != "application/json":
        raise HTTPException(415, 'send application/json: {"alg": …, "value": …}')
    body = await receive_json(request)
    try:
        return BindingQuery.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(400, f"no soft binding: {_first_problem(error)}") from error


@asynccontextmanager
async def _receive_picture(request: Request) -> AsyncIterator[Upload]:
    """Receive a picture as a body; on disk if it is large."""
    media_type = media_type_of(request)
    if not media_type.startswith("image/"):
        raise HTTPException(415, f"send a picture as image/…, not {media_type[:80] or 'untyped'!r}")
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
        yield Upload.from_file(file)


def _first_problem(error: RequestValidationError | ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
