"""Descriptions of an API: made of the routes, compared, written.

    python -m tests.helpers.openapi      # or `make schema`: write what was added

A description may grow: routes, optional parameters, fields of answers. Anything else breaks a
client, so it is refused here and in the tests: whoever means it edits the file by hand.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from homing.serve.app import create_app
from homing.serve.schema import FILE, describe
from homing.serve.settings import Settings

WORDS = {"description", "summary", "title"}  # that may change
SCHEMA = {"$ref", "anyOf", "type"}  # one of these is in every schema


def described() -> dict[str, Any]:
    """Return the description of the routes as they are."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(archive=f"{folder}/archive", folder=Path(folder, "served"))
        return json.loads(json.dumps(describe(create_app(settings))))


def losses(old: Any, new: Any, *place: str) -> Iterator[str]:
    """Yield what a client of the old description would miss in the new one."""
    here, last = "/".join(place), place[-1] if place else ""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _lost_keys(old, new, place)
    elif last == "required" and isinstance(old, list):
        yield from (f"{here} lacks {name}" for name in old if name not in new)
        if _is_sent(place):
            yield from (f"{here} demands {name}" for name in new if name not in old)
    elif last == "parameters":
        yield from _lost_parameters(old, new, place)
    elif last in {"enum", "anyOf"} and all(each in new for each in old):
        return  # more values than before
    elif old != new:
        yield f"{here} was {json.dumps(old)[:80]}, and is {json.dumps(new)[:80]}"


def _lost_keys(old: dict[str, Any], new: dict[str, Any], place: tuple[str, ...]) -> Iterator[str]:
    here = "/".join(place)
    for name, value in old.items():
        if name in WORDS and isinstance(value, str):
            continue
        if name not in new:
            yield f"{here}/{name} is gone"
        else:
            yield from losses(value, new[name], *place, name)
    if _is_sent(place) and place[-1] != "properties" and old.keys() & SCHEMA:
        added = new.keys() - old.keys() - WORDS - {"default", "properties"}
        yield from (f"{here}/{name} is new" for name in sorted(added))


def _lost_parameters(old: Any, new: Any, place: tuple[str, ...]) -> Iterator[str]:
    before = {(each["in"], each["name"]): each for each in old}
    after = {(each["in"], each["name"]): each for each in new}
    here = "/".join(place)
    for key, value in before.items():
        if key not in after:
            yield f"{here}/{key[1]} is gone"
        else:
            yield from losses(value, after[key], *place, key[1])
    for key in after.keys() - before.keys():
        if after[key].get("required"):
            yield f"{here} demands {key[1]}"


def _is_sent(place: tuple[str, ...]) -> bool:
    """Return whether a place describes what clients send; components describe answers alone."""
    return "requestBody" in place or "parameters" in place


def written(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    new = described()
    place = Path(str(FILE))
    if place.exists():
        lost = list(losses(json.loads(place.read_text(encoding="utf-8")), new))
        if lost:
            print(*lost, f"edit {place} by hand if you mean it", sep="\n", file=sys.stderr)
            return 1
    place.write_text(written(new), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
