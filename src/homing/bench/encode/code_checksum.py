"""Checksums of the code, ours, the packages' and the user's, that made a cached value."""

import hashlib
import importlib.metadata
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache, partial
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any


@cache
def code_checksum(sources: tuple[str, ...], packages: tuple[str, ...]) -> str:
    """Return a checksum of files beneath the package and of versions of distributions.

    A source is a module or a folder, with "/" between names; of a folder all modules count.
    """
    digest = hashlib.sha256()
    for source in sources:
        part = resources.files("homing").joinpath(*source.split("/"))
        for name, module in sorted(_modules(part, part.name)):
            digest.update(f"{source} {name}\n".encode())
            digest.update(module.read_bytes())
    for name in packages:
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    return digest.hexdigest()


def _modules(part: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    """Yield a module, or all modules of a folder and of its folders, with their names."""
    if part.is_dir():
        for each in part.iterdir():
            yield from _modules(each, f"{name}/{each.name}")
    elif part.name.endswith(".py"):
        yield name, part


@cache
def function_checksum(function: Callable[..., Any], counted: tuple[str, ...]) -> str:
    """Return a checksum of a user's function: its module's text and a partial's arguments.

    Functions of the modules or packages in `counted`, which `code_checksum` covers, give "". Where
    there is no text, the result is random, so that no other run will give it.
    """
    parts = []
    while isinstance(function, partial):
        for argument in (*function.args, *function.keywords.values()):
            inner = callable(argument)
            parts.append(function_checksum(argument, counted) if inner else repr(argument))
        function = function.func
    module = getattr(function, "__module__", "") or ""
    if any(module == name or module.startswith(f"{name}.") for name in counted):
        return " ".join(part for part in parts if part)
    return hashlib.sha256(f"{_text(module)} {parts}".encode()).hexdigest()


def describe_fields(value: Any, counted: tuple[str, ...]) -> dict[str, Any]:
    """Return for each field of a dataclass, also nested, a value that a checksum may be made of.

    `counted` as for :func:`function_checksum`.
    """
    return {each.name: _field_value(getattr(value, each.name), counted) for each in fields(value)}


def _field_value(value: Any, counted: tuple[str, ...]) -> Any:
    if is_dataclass(value):
        return describe_fields(value, counted)
    if callable(value):
        return [getattr(value, "__qualname__", ""), function_checksum(value, counted)]
    return repr(value)


@cache
def _text(module: str) -> str:
    try:
        return inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):
        return os.urandom(16).hex()
