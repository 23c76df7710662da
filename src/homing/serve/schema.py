"""The description of the API (OpenAPI): the file that is served, and how it is made of the routes.

The file is the contract. Tests hold the routes to it, and `make schema` writes what was added.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from homing.serve.access.guard import SCHEME

FILE = files("homing.serve") / "openapi.json"

VERSION = "1"  # of the API; that of homing is in the answer of /health

_INTRODUCTION = (
    "Find what a picture is a copy of; release pictures so that they are found. Later versions may "
    "add routes, optional parameters and fields of answers: ignore fields that you do not know."
)
_TAGS = {
    "search": "Find what pictures are copies of.",
    "entries": "What the archive holds.",
    "decisions": "What people decided about a picture and an entry.",
    "release": "Release pictures by upload.",
    "upkeep": "State and figures of the service.",
    "soft binding resolution": "C2PA's API: from a picture or a soft binding to a manifest.",
}
_SCHEME = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key of `homing keys add`; its rights are read or write, which includes read. "
    "A service that runs with `--no-keys` needs none.",
}


@cache
def load_schema() -> dict[str, Any]:
    """Return the description that is served."""
    document: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return document


def describe(app: FastAPI) -> dict[str, Any]:
    """Describe the routes of an application."""
    document = get_openapi(
        title="homing",
        version=VERSION,
        description=_INTRODUCTION,
        routes=app.routes,
        webhooks=app.webhooks.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    document["components"]["securitySchemes"] = {SCHEME: _SCHEME}
    for operations in [*document["paths"].values(), *document["webhooks"].values()]:
        for operation in operations.values():
            # FastAPI makes the summary of the function's name, and the docstring has a better one.
            first, _, rest = operation.pop("description").partition("\n\n")
            operation["summary"] = " ".join(first.split()).removesuffix(".")
            if rest:
                operation["description"] = rest
    return document
