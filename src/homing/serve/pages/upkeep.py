"""``/status``, ``/sign-in`` and ``/static``."""

import datetime

from fastapi import APIRouter, HTTPException, Request, Response

from homing.errors import ArchiveError
from homing.serve.access.keys import READ
from homing.serve.pages.assets import load_assets
from homing.serve.pages.frame import guarded_pages, open_site, service_of, site_of
from homing.serve.pages.rendering import Render
from homing.serve.pages.words import archive_pairs, latency_rows, moment_told, service_pairs


def status_page(render: Render) -> APIRouter:
    """Return the route."""
    routes = guarded_pages(READ)

    @routes.get("/status")
    async def status(request: Request) -> Response:
        figures, health = None, "The service is well."
        try:
            figures = await service_of(request).statistics()
        except ArchiveError as error:
            service_of(request).log.problem("archive", error)
            health = "The archive cannot be read; the log of the service says why."
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        return render(
            "status",
            site=site_of(request),
            here="/status",
            well=figures is not None,
            health=health,
            archive=archive_pairs(figures) if figures else (),
            service=service_pairs(figures["server"]) if figures else (),
            latency=latency_rows(figures["server"]) if figures else (),
            moment=now,
            told=moment_told(now),
        )

    return routes


def sign_in_page(render: Render) -> APIRouter:
    """Return the route by which a browser gets its session."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/sign-in")
    async def ask(request: Request, next: str = "/", refused: bool = False) -> Response:  # noqa: A002
        """Ask for a key; `refused` tells that the last one was none."""
        problem = "That is no key of this service. Ask for one, or try again." if refused else None
        return render(
            "sign_in",
            status=401 if refused else 200,
            site=open_site(service_of(request)),
            here="",
            next=next,
            problem=problem,
        )

    return routes


def static_files() -> APIRouter:
    """Return the route of style sheet, scripts and icon: there for whoever comes."""
    routes = APIRouter(include_in_schema=False)
    assets = load_assets()

    @routes.get("/static/{name}")
    async def static(request: Request, name: str) -> Response:
        asset = assets.get(name)
        if asset is None:
            raise HTTPException(404, f"there is no file {name[:80]!r} of the pages")
        # Asked for again each time, and not sent again unless another version is installed.
        headers = {
            "ETag": asset.tag,
            "Cache-Control": "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        if request.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.kind, headers=headers)

    return routes
