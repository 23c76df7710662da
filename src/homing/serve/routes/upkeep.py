"""``/health``, ``/statistics``, ``/metrics``, ``/sign-in``, ``/sign-out``."""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from homing._version import __version__
from homing.serve.access.guard import COOKIE, SESSION_SECONDS, guarded
from homing.serve.access.keys import READ
from homing.serve.models import Healthy
from homing.serve.routes import failures
from homing.serve.service import Service

_PROMETHEUS = "text/plain; version=0.0.4"
_SIGN_IN = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "properties": {"key": {"type": "string"}, "next": {"type": "string"}},
                "required": ["key"],
            }
        }
    },
}


def router() -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["upkeep"])
    routes.include_router(_open())
    routes.include_router(_reading())
    return routes


def _open() -> APIRouter:
    routes = APIRouter(route_class=guarded(None))

    @routes.get("/health", response_model=Healthy, responses=failures())
    async def health() -> dict[str, str]:
        """Tell that the service is there; needs no key."""
        return {"status": "ok", "version": __version__}

    @routes.post(
        "/sign-in",
        status_code=303,
        response_class=RedirectResponse,
        responses=failures(400, 413),
        openapi_extra={"requestBody": _SIGN_IN},
    )
    async def sign_in(request: Request) -> RedirectResponse:
        """Begin a browser's session with a key, and go where `next` says."""
        service: Service = request.app.state.service
        async with request.form(max_files=0, max_fields=10) as form:
            secret, wanted = form.get("key"), form.get("next")
        token = service.guard.sign_in(secret) if isinstance(secret, str) else None
        if token is None and "text/html" in request.headers.get("accept", ""):
            again = urlencode({"refused": "true", "next": _here(wanted)})
            return RedirectResponse(f"/sign-in?{again}", 303)
        if token is None:
            raise HTTPException(401, "that is no key of this service; ask for one")
        answer = RedirectResponse(_here(wanted), 303)
        answer.set_cookie(
            COOKIE,
            token,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            max_age=SESSION_SECONDS,
        )
        return answer

    @routes.post(
        "/sign-out", status_code=303, response_class=RedirectResponse, responses=failures(413)
    )
    async def sign_out(request: Request) -> RedirectResponse:
        """End a browser's session."""
        service: Service = request.app.state.service
        service.guard.sign_out(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return routes


def _here(wanted: object) -> str:
    """Where to go on: a place of this service, whatever was asked for."""
    if isinstance(wanted, str) and wanted.startswith("/") and wanted.isprintable():
        inside = not wanted.startswith(("//", "/\\"))
        return wanted if inside else "/"
    return "/"


def _reading() -> APIRouter:
    routes = APIRouter(route_class=guarded(READ))

    @routes.get("/statistics", responses=failures())
    async def statistics(request: Request) -> dict[str, Any]:
        """Figures of the archive and of the service."""
        service: Service = request.app.state.service
        return await service.statistics()

    @routes.get(
        "/metrics",
        response_class=Response,
        responses={**failures(), 200: {"content": {"text/plain": {}}}},
    )
    async def metrics(request: Request) -> Response:
        """Figures of the service for Prometheus."""
        service: Service = request.app.state.service
        return Response(service.metrics.text(), media_type=_PROMETHEUS)

    return routes
