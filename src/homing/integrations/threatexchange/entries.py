"""Entries of a ThreatExchange index beside its signals, as JSON: nothing is unpickled.

Its programs keep numbers, and lists of names with dataclasses of opinions. Lists and objects are
written as ``[kind, …]``; a class is one of threatexchange, or of a module that is loaded already.
"""

import dataclasses
import enum
import importlib
import sys
from contextlib import suppress
from typing import Any

from homing.errors import UsageError

_PLAIN = (type(None), bool, int, float, str)
_COLLECTIONS: dict[str, Any] = {"list": list, "tuple": tuple, "set": set}


def to_plain(value: Any) -> Any:
    """Return a value as JSON can hold it; UsageError if it cannot be kept."""
    if type(value) in _PLAIN:
        return value
    for kind, collection in _COLLECTIONS.items():
        if type(value) is collection:
            return [kind, *(to_plain(each) for each in value)]
    if type(value) is dict:
        return ["dict", *([to_plain(key), to_plain(each)] for key, each in value.items())]
    name = f"{type(value).__module__}:{type(value).__qualname__}"
    if isinstance(value, enum.Enum):
        return ["enum", name, value.name]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        return ["object", name, {key: to_plain(each) for key, each in fields.items()}]
    raise UsageError(
        f"an index cannot keep {name} beside a signal: give plain values, enums or dataclasses"
    )


def from_plain(value: Any) -> Any:
    """Return the value that was written; UsageError if it cannot be one."""
    if type(value) in _PLAIN:
        return value
    if type(value) is not list:
        raise UsageError("an index has a value that was not written so: build it again")
    try:
        kind, *rest = value
        if kind in _COLLECTIONS:
            return _COLLECTIONS[kind](map(from_plain, rest))
        if kind == "dict":
            return {from_plain(key): from_plain(each) for key, each in rest}
        name, content = rest
        if kind == "enum":
            return _class_of(name, enum.Enum)[content]
        if kind == "object":
            return _object(_class_of(name), content)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise UsageError("an index has a value that was not written so: build it again") from error
    raise UsageError(f"an index has a value of an unknown kind, {kind!r}")


def _object(cls: type, content: dict[str, Any]) -> Any:
    """Make a dataclass's object without calling its code."""
    if {each.name for each in dataclasses.fields(cls)} != set(content):
        raise UsageError(f"{cls.__qualname__} has other fields now: build the index again")
    made: Any = object.__new__(cls)
    for key, each in content.items():
        object.__setattr__(made, key, from_plain(each))
    return made


def _class_of(name: str, base: type | None = None) -> Any:
    module, _, qualified = name.partition(":")
    found: Any = sys.modules.get(module)
    if found is None and module.startswith("threatexchange."):
        with suppress(ImportError):
            found = importlib.import_module(module)
    for part in qualified.split("."):
        found = getattr(found, part, None)
    right = isinstance(found, type) and (
        dataclasses.is_dataclass(found) if base is None else issubclass(found, base)
    )
    if not right:
        raise UsageError(f"an index has an object of {name!r}, which is not loaded: add its module")
    return found
