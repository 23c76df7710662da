"""The application: its routes and middleware, and the form of its failures."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from homing.errors import (
    ArchiveError,
    CodebookError,
    EntryNotFoundError,
    HomingError,
    PictureError,
    UsageError,
)
from homing.serve import pages, softbinding
from homing.serve.http.base_path import BasePath, refuse_own_addresses
from homing.serve.http.early_answers import EarlyAnswers
from homing.serve.http.forwarded import ForwardedHeaders
from homing.serve.http.log import Log
from homing.serve.http.metrics import Metrics
from homing.serve.http.observer import RequestObserver
from homing.serve.http.places import PrivatePlaces
from homing.serve.routes import accepts_page, decisions, entries, releases, searches, status
from homing.serve.schema import load_schema
from homing.serve.service import Service, service_of
from homing.serve.settings import Settings


def create_app(settings: Settings, log: Log | None = None) -> FastAPI:
    """Return the application of a service, which opens its archive when it starts.

    Events go to the log, or to standard error if it is None.
    """
    log = log or Log()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with Service(settings, metrics, log) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="homing",
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,
        redoc_url=None,
    )
    parts = (status, searches, entries, decisions, releases, softbinding, pages)
    routers = [router for part in parts for router in part.ROUTERS]
    for router in routers:
        app.include_router(router)
    app.webhooks.include_router(releases.WEBHOOKS)
    app.openapi = load_schema  # type: ignore[method-assign]
    add_failure_handlers(app, settings.places)
    app.add_middleware(RequestObserver, metrics=metrics, log=log)
    # Outermost: a client that still sends a refused body is no current request.
    app.add_middleware(EarlyAnswers, limit=settings.limits.max_bytes)
    app.add_middleware(ForwardedHeaders, proxies=settings.proxies)
    routes = [route for router in routers for route in router.routes]
    refuse_own_addresses(settings.base_path, [getattr(route, "path", "/") for route in routes])
    app.add_middleware(BasePath, base=settings.base_path)
    return app


_NO_ARCHIVE = "the archive cannot be searched now; the log of the service says why"
_UNKNOWN = {
    "Not Found": "there is nothing at this address; the API is under /v1, and /reference lists it",
    "Method Not Allowed": "this address takes another method; /reference says which",
}
_NO_FILES = "a file cannot be read or written now; the log of the service says why"


def add_failure_handlers(app: FastAPI, places: PrivatePlaces) -> None:
    """Report failures: to browsers on a page, to other clients as ``{"error": ...}``."""

    @app.exception_handler(HomingError)
    async def homing_error(request: Request, error: HomingError) -> Response:
        service = service_of(request)
        if isinstance(error, PictureError):
            service.metrics.count_unreadable()
        status, message = _status_of(error), _public_message(error, places)
        if message != str(error):
            service.log.write_error("archive", error)
        return _failure(request, status, message, kind=type(error).__name__)

    @app.exception_handler(BlockingIOError)
    async def too_busy(request: Request, error: BlockingIOError) -> Response:
        return _failure(request, 503, str(error), headers={"Retry-After": "60"})

    @app.exception_handler(OSError)
    async def unwritten(request: Request, error: OSError) -> Response:
        """Answer where the disk is full, or files are not as the service left them."""
        service_of(request).log.write_error("files", error)
        return _failure(request, 503, _NO_FILES)

    @app.exception_handler(ClientDisconnect)
    async def disconnected(request: Request, error: ClientDisconnect) -> Response:
        del request, error
        return JSONResponse({"error": "the connection broke off; send it again"}, 400)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == 401 and accepts_page(request):
            target, at = (
                request.url.replace(scheme="", netloc="", fragment=""),
                service_of(request).settings.at,
            )
            onwards = quote(str(target) if request.method == "GET" else at("/"))
            return RedirectResponse(at(f"/sign-in?next={onwards}"), 303)
        message = _UNKNOWN.get(str(error.detail), str(error.detail))
        return _failure(request, error.status_code, message, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return _failure(request, 422, "; ".join(map(_problem, error.errors())))


def _failure(
    request: Request,
    status: int,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: str,
) -> Response:
    if not accepts_page(request):
        return JSONResponse({"error": message, **more}, status, headers)
    page = pages.failure_page(request, status, message)
    page.headers.update(headers or {})
    return page


def _public_message(error: HomingError, places: PrivatePlaces) -> str:
    if _status_of(error) >= 500:  # for those who run the service
        return _NO_ARCHIVE
    return places.left_out(str(error))


def _status_of(error: HomingError) -> int:
    if isinstance(error, EntryNotFoundError):
        return 404
    if isinstance(error, PictureError | UsageError):
        return 422
    return 503 if isinstance(error, ArchiveError | CodebookError) else 500


def _problem(problem: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"][1:])
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])
