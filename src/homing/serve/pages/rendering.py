"""From templates to answers: addresses of entries, and what browsers are told to refuse."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse

from homing.html import load_templates
from homing.serve.http.names import file_address

Render = Callable[..., HTMLResponse]
"""Renders the template of a name with what it is given; `status` is the answer's."""

#: Nothing from elsewhere and nothing inline: neither style, nor script, nor frame.
_POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",  # an archive is not for everyone who sits down at a browser
}


def thumbnail_address(id: str) -> str:  # noqa: A002 - the column's name
    """Address of a small picture of an entry."""
    return f"/thumbnails/{quote(id)}"


def renderer() -> Render:
    """Make the pages' templates ready."""
    templates = load_templates(
        "homing.serve.pages",
        entry_address=lambda name: f"/browse/{quote(name)}",
        file_address=file_address,
        thumbnail_address=thumbnail_address,
    )

    def render(name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        page = templates.get_template(f"templates/{name}.html.j2").render(values)
        return HTMLResponse(page, status, headers=_HEADERS)

    return render
