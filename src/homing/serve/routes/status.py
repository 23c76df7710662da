"""``/health``, ``/v1/statistics``, ``/metrics``, ``/sign-in``, ``/sign-out``."""

from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from homing._version import __version__
from homing.serve.access.guard import SESSION_SECONDS, guarded
from homing.serve.access.keys import READ
from homing.serve.models.answers import Healthy, Statistics
from homing.serve.routes import accepts_page, failures
from homing.serve.service import Service, service_of

_open = APIRouter(tags=["upkeep"], route_class=guarded(None))
_reading = APIRouter(tags=["upkeep"], route_class=guarded(READ))
ROUTERS = (_open, _reading)

_PROMETHEUS = "text/plain; version=0.0.4"


@_open.get("/health", response_model=Healthy, responses=failures())
async def get_health() -> dict[str, str]:
    """Report that the service runs; needs no key."""
    return {"status": "ok", "version": __version__}


@_open.post("/sign-in", include_in_schema=False)
async def sign_in(request: Request) -> RedirectResponse:
    """Begin a browser's session with a key, and redirect to `next`."""
    async with request.form(max_files=0, max_fields=10) as form:
        secret, target = form.get("key"), form.get("next")
    service = service_of(request)
    guard = service.guard
    token = guard.sign_in(secret) if isinstance(secret, str) else None
    if token is None and accepts_page(request):
        again = urlencode({"refused": "true", "next": _local_target(service, target)})
        return RedirectResponse(service.settings.at(f"/sign-in?{again}"), 303)
    if token is None:
        raise HTTPException(401, "that is no key of this service; request one from its operator")
    answer = RedirectResponse(_local_target(service, target), 303)
    answer.set_cookie(
        guard.cookie,
        token,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
        max_age=SESSION_SECONDS,
        path=service.settings.base_path or "/",
    )
    return answer


@_open.post("/sign-out", include_in_schema=False)
async def sign_out(request: Request) -> RedirectResponse:
    """End a browser's session."""
    service = service_of(request)
    guard = service.guard
    guard.sign_out(request.cookies.get(guard.cookie, ""))
    answer = RedirectResponse(service.settings.at("/sign-in"), 303)
    secure, path = request.url.scheme == "https", service.settings.base_path or "/"
    answer.delete_cookie(guard.cookie, path, httponly=True, samesite="strict", secure=secure)
    return answer


def _local_target(service: Service, target: object) -> str:
    """Return where to redirect: a place of this service, whatever was requested."""
    home = service.settings.at("/")
    if isinstance(target, str) and target.startswith(home) and target.isprintable():
        is_local = not target.startswith(("//", "/\\"))
        return target if is_local else home
    return home


@_reading.get("/v1/statistics", response_model=Statistics, responses=failures())
async def get_statistics(request: Request) -> JSONResponse:
    """Return figures of the archive and of the service."""
    return JSONResponse(await service_of(request).statistics())


@_reading.get(
    "/metrics",
    response_class=Response,
    responses={**failures(), 200: {"content": {"text/plain": {}}}},
)
async def get_metrics(request: Request) -> Response:
    """Return figures of the service for Prometheus."""
    text = service_of(request).metrics.prometheus_text()
    return Response(text, media_type=_PROMETHEUS)
