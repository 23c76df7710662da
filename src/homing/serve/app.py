"""The application: its routes, and what its failures look like."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from homing._version import __version__
from homing.errors import ArchiveError, EntryNotFoundError, HomingError, PictureError, UsageError
from homing.serve import pages, softbinding
from homing.serve.http.early_answers import Lingering
from homing.serve.http.log import Log
from homing.serve.http.metrics import Metrics
from homing.serve.http.requests import observe
from homing.serve.routes import entries, releasing, searching, upkeep
from homing.serve.service import Service
from homing.serve.settings import Settings

_ROUTERS = (
    upkeep.router,
    searching.router,
    entries.router,
    releasing.router,
    softbinding.router,
    pages.router,
)


def create_app(settings: Settings, log: Log | None = None) -> FastAPI:
    """Make the application of a service; its archive is opened when it is started.

    Parameters
    ----------
    settings : Settings
    log : Log or None
        Where to tell what happens; standard error if None.
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
        version=__version__,
        description="Find what a picture is a copy of; release pictures so that they are found.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    for router in _ROUTERS:
        app.include_router(router())
    _tell_failures(app)
    observe(app, metrics, log, settings.requests)
    # Around it all: who is still sending what nobody will read is no request at work.
    app.add_middleware(Lingering, most=settings.limits.max_bytes)
    return app


def _tell_failures(app: FastAPI) -> None:
    """Say what went wrong: to browsers on a page, to others as ``{"error": ...}``."""
    told = _teller()

    @app.exception_handler(HomingError)
    async def ours(request: Request, error: HomingError) -> Response:
        service: Service = request.app.state.service
        if isinstance(error, PictureError):
            service.metrics.unreadable()
        status, message = _status_of(error), str(error)
        if status >= 500:  # of the archive, and where it lies: for those who run the service
            service.log.problem("archive", error)
            message = "the archive cannot be asked now; the log of the service says why"
        return told(request, status, message, kind=type(error).__name__)

    @app.exception_handler(BlockingIOError)
    async def busy(request: Request, error: BlockingIOError) -> Response:
        return told(request, 503, str(error), headers={"Retry-After": "60"})

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        del request, error
        return JSONResponse({"error": "the connection broke off; send it again"}, 400)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if error.status_code == 401 and _wants_page(request):
            wanted = request.url.replace(scheme="", netloc="", fragment="")
            onwards = quote(str(wanted) if request.method == "GET" else "/")
            return RedirectResponse(f"/sign-in?next={onwards}", 303)
        return told(request, error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        return told(request, 422, _problems(error))

    @app.exception_handler(Exception)
    async def internal(request: Request, error: Exception) -> Response:
        del request, error  # the server logs it
        return JSONResponse({"error": "internal error; the log of the service has more"}, 500)


def _teller() -> Callable[..., Response]:
    """Return what makes an answer of a status and a message."""
    tell = pages.teller()

    def told(
        request: Request,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: str,
    ) -> Response:
        if not _wants_page(request):
            return JSONResponse({"error": message, **more}, status, headers)
        answer = tell(request, status, message)
        answer.headers.update(headers or {})
        return answer

    return told


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _status_of(error: HomingError) -> int:
    if isinstance(error, EntryNotFoundError):
        return 404
    if isinstance(error, PictureError | UsageError):
        return 422
    return 503 if isinstance(error, ArchiveError) else 500


def _problems(error: RequestValidationError) -> str:
    def told(problem: dict[str, Any]) -> str:
        place = ".".join(str(part) for part in problem["loc"][1:])
        return f"{place}: {problem['msg']}" if place else str(problem["msg"])

    return "; ".join(told(problem) for problem in error.errors())
