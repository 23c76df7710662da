"""``/reference``: the API's description as a page, for anyone."""

from functools import cache

from fastapi import APIRouter, Request, Response

from homing.serve.pages.described import Group, Model, groups_of, models_of
from homing.serve.pages.layout import render, site_of_anyone
from homing.serve.schema import load_schema

router = APIRouter(include_in_schema=False)


@router.get("/reference")
async def reference(request: Request) -> Response:
    """Return the page."""
    groups, models = _described()
    return render(
        "reference",
        site_of_anyone(request),
        here="/reference",
        introduction=load_schema()["info"]["description"],
        groups=groups,
        models=models,
        address=str(request.base_url).rstrip("/"),
    )


@cache
def _described() -> tuple[tuple[Group, ...], tuple[Model, ...]]:
    return groups_of(load_schema()), models_of(load_schema())
