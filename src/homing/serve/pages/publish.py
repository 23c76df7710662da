"""``/publish``: release by upload, which the page's script does."""

from fastapi import Request, Response

from homing.activation import METHODS
from homing.options import Activation
from homing.serve.access.keys import WRITE
from homing.serve.pages.layout import guarded_pages, render, site_of
from homing.serve.service import service_of

router = guarded_pages(WRITE)

_LABELS = {
    "robust": "robust (as a rule)",
    "robust-fast": "robust-fast: half the time",
    "robust-thorough": "robust-thorough: twice the time",
    "paper": "paper: as it was published",
}
_FORMATS = (("jpeg", "JPEG"), ("png", "PNG"), ("webp", "WebP"), ("tiff", "TIFF"))


@router.get("/publish")
async def publish(request: Request) -> Response:
    """Return the page of releases."""
    service = service_of(request)
    service.releases.prepare_preview()  # while pictures are being chosen
    default_first = sorted(METHODS, key=lambda name: name != Activation.method)
    return render(
        "publish",
        site_of(request),
        here="/publish",
        limit=service.settings.limits.max_bytes,
        together=service.settings.most_bytes,
        most=service.settings.most_pictures,
        psnr=f"{Activation.psnr:g}",
        methods=[(name, _LABELS.get(name, name)) for name in default_first],
        method=Activation.method,
        formats=_FORMATS,
    )
