"""What made a cached value: checksums of our own code and of the packages that it calls."""

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
def definitions(sources: tuple[str, ...], packages: tuple[str, ...]) -> str:
    """Tell apart what a value was made by, so that another version's is not taken for it.

    Parameters
    ----------
    sources : tuple of str
        Files beneath the package, with "/" between names; of a folder all its modules.
    packages : tuple of str
        Distributions, whose versions count.

    Returns
    -------
    str
        A checksum.
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
    """A module, or all modules of a folder and of the folders in it, with their names."""
    if part.is_dir():
        for each in part.iterdir():
            yield from _modules(each, f"{name}/{each.name}")
    elif part.name.endswith(".py"):
        yield name, part


@cache
def definition_of(function: Callable[..., Any], counted: tuple[str, ...]) -> str:
    """Tell apart what a function given by a user does, as far as its module's text tells.

    Parameters
    ----------
    function : callable
        Of a module, or a partial of one.
    counted : tuple of str
        Modules, and packages of them, whose code :func:`definitions` counts already.

    Returns
    -------
    str
        A checksum of the module's text and of a partial's arguments; for a function of a counted
        module nothing. Where there is no text, what no other run will give.
    """
    parts = []
    while isinstance(function, partial):
        for argument in (*function.args, *function.keywords.values()):
            inner = callable(argument)
            parts.append(definition_of(argument, counted) if inner else repr(argument))
        function = function.func
    module = getattr(function, "__module__", "") or ""
    if any(module == name or module.startswith(f"{name}.") for name in counted):
        return " ".join(part for part in parts if part)
    return hashlib.sha256(f"{_text(module)} {parts}".encode()).hexdigest()


def fields_of(value: Any, counted: tuple[str, ...]) -> dict[str, Any]:
    """Tell apart what a dataclass of settings and functions does, whatever its fields are.

    Parameters
    ----------
    value : dataclass
        Its own dataclasses count likewise.
    counted : tuple of str
        As :func:`definition_of` takes it.

    Returns
    -------
    dict of str
        For each field what a checksum may be made of.
    """
    return {each.name: _told(getattr(value, each.name), counted) for each in fields(value)}


def _told(value: Any, counted: tuple[str, ...]) -> Any:
    if is_dataclass(value):
        return fields_of(value, counted)
    if callable(value):
        return [getattr(value, "__qualname__", ""), definition_of(value, counted)]
    return repr(value)


@cache
def _text(module: str) -> str:
    try:
        return inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):
        return os.urandom(16).hex()
