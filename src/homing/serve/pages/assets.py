"""``/static``: the files of the pages, in memory: no client's path reaches the file system."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Request, Response

router = APIRouter(include_in_schema=False)

#: Named here, since systems differ in what they make of a suffix, and scripts need the right type.
_MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A style sheet, a script or the icon."""

    content: bytes
    media_type: str
    tag: str  # HTTP's entity tag, in its quotes: it changes with the content


def load_assets() -> dict[str, Asset]:
    """Read the package's assets, by name."""
    folder = files("homing.serve.pages") / "static"
    return {file.name: _asset(file.name, file.read_bytes()) for file in folder.iterdir()}


def _asset(name: str, content: bytes) -> Asset:
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return Asset(content, _MEDIA_TYPES[name.rpartition(".")[2]], tag)


_ASSETS = load_assets()


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """Return an asset, to anyone."""
    asset = _ASSETS.get(name)
    if asset is None:
        raise HTTPException(404, f"there is no file {name[:80]!r} of the pages")
    # Requested again each time, and not sent again unless another version is installed.
    headers = {
        "ETag": asset.tag,
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match") == asset.tag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
