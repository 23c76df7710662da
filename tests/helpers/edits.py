"""Edits of small JSON files as people and mishaps make them: of every key, in many ways."""

import copy
import json
from collections.abc import Iterator
from typing import Any

_DEEP = "[" * 20_000 + "]" * 20_000
_VALUES = (
    "null",
    "true",
    '"x"',
    "-1",
    "1" + "0" * 30,
    "1" + "0" * 5000,
    "1e308",
    "[]",
    "{}",
    "[[{}]]",
)
_NEVER = ("NaN", "1e999", _DEEP)  # valid nowhere
_HOLE = "\0hole"


def edits(values: Any) -> Iterator[tuple[str, str, bool]]:
    """Yield what was edited, the file's text, and whether it must be refused whatever the key."""
    for path in _paths(values):
        name = ".".join(map(str, path))
        yield f"{name} missing", json.dumps(_changed(values, path, missing=True)), False
        with_hole = json.dumps(_changed(values, path))
        for text in (*_VALUES, *_NEVER):
            edited = with_hole.replace(json.dumps(_HOLE), text)
            yield f"{name} = {text[:12]}", edited, text in _NEVER
    for text in ("", "{", "null", "[1]", "1", '"x"', "[{}]", _DEEP):
        yield f"all = {text[:12]}", text, True


def _paths(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all keys; of lists only the first member's."""
    if path:
        yield path
    members = values.items() if isinstance(values, dict) else enumerate(values[:1])
    for key, value in members:
        if isinstance(value, dict | list):
            yield from _paths(value, (*path, key))
        else:
            yield (*path, key)


def _changed(values: Any, path: tuple[Any, ...], *, missing: bool = False) -> Any:
    values = copy.deepcopy(values)
    place = values
    for key in path[:-1]:
        place = place[key]
    if missing:
        del place[path[-1]]
    else:
        place[path[-1]] = _HOLE
    return values
