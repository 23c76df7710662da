"""``/status`` and ``/sign-in``."""

import datetime

from fastapi import APIRouter, Request, Response

from homing.errors import ArchiveError
from homing.serve.access.keys import READ
from homing.serve.pages.layout import closed_site, guarded_pages, render, site_of
from homing.serve.pages.views import archive_facts, format_time, latency_rows, service_facts
from homing.serve.service import service_of

router = guarded_pages(READ)
open_router = APIRouter(include_in_schema=False)


@router.get("/status")
async def status(request: Request) -> Response:
    """Return the page of figures."""
    figures, health = None, "The service is well."
    try:
        figures = await service_of(request).statistics()
    except ArchiveError as error:
        service_of(request).log.write_error("archive", error)
        health = "The archive cannot be read; the log of the service says why."
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return render(
        "status",
        site_of(request),
        here="/status",
        well=figures is not None,
        health=health,
        archive=archive_facts(figures) if figures else (),
        service=service_facts(figures["server"]) if figures else (),
        latency=latency_rows(figures["server"]) if figures else (),
        moment=now,
        time=format_time(now),
    )


@open_router.get("/sign-in")
async def sign_in(request: Request, next: str | None = None, refused: bool = False) -> Response:  # noqa: A002
    """Return the form that begins a session; `refused` says that the last key was none."""
    service = service_of(request)
    problem = "That is no key of this service. Request one, or try again." if refused else None
    return render(
        "sign_in",
        closed_site(service),
        status=401 if refused else 200,
        next=service.settings.at("/") if next is None else next,
        problem=problem,
    )
