"""``/publish``: release by upload. What it does is done by the page's script."""

from fastapi import APIRouter, Request, Response

from homing.activation import METHODS
from homing.options import Activation
from homing.serve.access.keys import WRITE
from homing.serve.pages.frame import guarded_pages, service_of, site_of
from homing.serve.pages.rendering import Render

_BUDGET = 42
_TOLD = {
    "robust": "robust (as a rule)",
    "robust-fast": "robust-fast: half the time",
    "robust-thorough": "robust-thorough: twice the time",
    "paper": "paper: as it was published",
}
_FORMATS = (("jpeg", "JPEG"), ("png", "PNG"), ("webp", "WebP"), ("tiff", "TIFF"))


def publish_page(render: Render) -> APIRouter:
    """Return the route."""
    routes = guarded_pages(WRITE)
    usual_first = sorted(METHODS, key=lambda name: name != Activation.method)

    @routes.get("/publish")
    async def publish(request: Request) -> Response:
        service = service_of(request)
        service.publishing.prepare()  # while pictures are being chosen
        settings = service.settings
        return render(
            "publish",
            site=site_of(request),
            here="/publish",
            limit=settings.limits.max_bytes,
            together=settings.most_bytes,
            most=settings.most_pictures,
            psnr=_BUDGET,
            methods=[(name, _TOLD.get(name, name)) for name in usual_first],
            method=Activation.method,
            formats=_FORMATS,
        )

    return routes
