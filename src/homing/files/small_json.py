"""Small JSON files: written with a checksum, and checked when they are read.

The checksum is the last line of the file, so that any changed bit is seen::

      "sha256": "…"
    }

A file without it was written by an earlier version of homing, or by hand, and is read all the same.
All problems are a `ValueError` whose text continues "the file cannot be used: …".
"""

import hashlib
import json
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from homing.errors import HomingError

_T = TypeVar("_T")

_CHECKSUM = "sha256"
_MARK = f'  "{_CHECKSUM}": "'
_END = '"\n}\n'
_LAST_LINES = len(_MARK) + 64 + len(_END)
_LARGEST = 2**63  # of whole numbers


def encode(values: Mapping[str, Any]) -> bytes:
    """Return the file of an object, which has at least one key."""
    head = json.dumps(values, indent=2, allow_nan=False).removesuffix("\n}") + ",\n"
    return _with_checksum(head.encode("ascii"))


def decode(data: bytes, formats: Sequence[int] = ()) -> dict[str, Any]:
    """Read the object of a file, and compare its checksum if it has one.

    `formats` are the values that its key ``format`` may have, if it needs one.
    """
    values = parse(data)
    if not isinstance(values, dict):
        raise ValueError("it holds no JSON object")  # noqa: TRY004 - of the file's contents
    if formats and values.get("format") not in formats:
        known = " and ".join(map(str, formats))
        raise ValueError(
            f"it has format {_short(values.get('format'))}; this version of homing knows {known}: "
            "a later one may read it"
        )
    head = data[:-_LAST_LINES]
    digest = hashlib.sha256(head).hexdigest()
    has_checksum = values.pop(_CHECKSUM, None) is not None
    # Or else its key was changed.
    if (has_checksum or digest.encode("ascii") in data) and data != _with_checksum(head):
        raise ValueError(
            f"it was changed after it was written: its {_CHECKSUM} differs; put it back from a "
            "backup, or remove that line if you changed the file yourself"
        )
    return values


def parse(data: str | bytes) -> Any:
    """Read JSON of any kind; numbers that are not finite are refused."""
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("its values are nested too deeply") from None


def build(kind: type[_T], values: object) -> _T:
    """Make a dataclass of an object that was read; its values must have the fields' types."""
    made: _T = _build(kind, values, "")
    return made


def _with_checksum(head: bytes) -> bytes:
    return head + f"{_MARK}{hashlib.sha256(head).hexdigest()}{_END}".encode("ascii")


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not a number")


def _build(kind: Any, value: object, key: str) -> Any:
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _build_dataclass(kind, value, key)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (other,) = (each for each in arguments if each is not types.NoneType)
        return None if value is None else _build(other, value, key)
    if origin is tuple:
        return _build_tuple(arguments, value, key)
    if origin is not None:
        if not isinstance(value, dict):
            raise _fault(key, "an object", value)
        return {name: _build(arguments[1], each, _join(key, name)) for name, each in value.items()}
    return _build_scalar(kind, value, key)


def _build_dataclass(kind: Any, value: object, key: str) -> Any:
    if not isinstance(value, dict):
        raise _fault(key, "an object", value)
    hints, known = _hints(kind), fields(kind)
    if foreign := sorted(value.keys() - {each.name for each in known}):
        raise ValueError(f"{_join(key, foreign[0])!r} is not known")
    for each in known:
        required = each.default is MISSING and each.default_factory is MISSING
        if required and each.name not in value:
            raise ValueError(f"{_join(key, each.name)!r} is missing")
    built = {name: _build(hints[name], each, _join(key, name)) for name, each in value.items()}
    try:
        return kind(**built)
    except HomingError as error:
        raise ValueError(str(error)) from error


def _build_tuple(kinds: tuple[Any, ...], value: object, key: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _fault(key, "a list", value)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        raise _fault(key, f"a list of {len(kinds)}", value)
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(_build(kind, each, _join(key, str(place))) for place, (kind, each) in pairs)


def _build_scalar(kind: Any, value: object, key: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < _LARGEST else math.inf
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _fault(key, _NAMES[kind], value)
    if (kind is float and not math.isfinite(value)) or (kind is int and abs(value) >= _LARGEST):
        raise _fault(key, "smaller", value)
    return value


_NAMES = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


@lru_cache(maxsize=64)
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _fault(key: str, wanted: str, value: object) -> ValueError:
    return ValueError(f"{key or 'it'!r} is {_short(value)}, and must be {wanted}")


def _short(value: object) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < _LARGEST else "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}…"
