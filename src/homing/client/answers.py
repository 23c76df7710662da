"""Answers of a service as objects: frozen dataclasses, made of the keys of its JSON."""

import base64
import dataclasses
import datetime
import json
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from homing.archive.hits import Decision, Hit
from homing.archive.results import Outcome
from homing.errors import ArchiveError
from homing.search.engines.deadline import Partial

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of the archive.

    Attributes
    ----------
    id, state : str
        State: "released" or "added".
    file : str or None
        Address of a released picture's file, below that of the service.
    width, height : int
    psnr : float or None
        dB; None: added, or released unchanged.
    generation, cell : int
        Cell by the codebook of that generation.
    further_cells : tuple of int
        Cells that it is held in as well.
    code : str
        Hexadecimal.
    created_at : datetime
    source_sha256, file_sha256 : str
        Hexadecimal.
    preview_bytes : int or None
        Size of its preview, if it has one.
    metadata : mapping
    """

    id: str
    state: str
    file: str | None
    width: int
    height: int
    psnr: float | None
    generation: int
    cell: int
    further_cells: tuple[int, ...] = ()
    code: str
    created_at: datetime.datetime
    source_sha256: str
    file_sha256: str
    preview_bytes: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RecordedDecision:
    """A decision of a person on a picture and an entry.

    Attributes
    ----------
    number : int
        Names it, for :meth:`Client.undo_decision`.
    query, id : str
        Name of the picture; id of the entry.
    query_sha256, file_sha256, source_sha256 : str or None
        Of the picture; of the entry's file and its source, hexadecimal.
    copy : bool
        Whether the picture was decided to be a copy of the entry.
    by : str
        Holder of the key.
    at : datetime
    in_force : bool
        False if the entry is gone: it counts for nothing.
    """

    number: int
    query: str
    query_sha256: str | None
    id: str
    file_sha256: str
    source_sha256: str
    copy: bool
    by: str
    at: datetime.datetime
    in_force: bool


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How an entry's picture lies in the query; corners are in pixels of each."""

    agreeing: int
    mirrored: bool
    turned: float  # degrees, clockwise
    scale: float
    shown: float
    covered: float
    record_size: tuple[int, int]
    query_size: tuple[int, int]
    in_record: tuple[tuple[float, ...], ...]
    in_query: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Evidence that a picture is, or is not, a copy of an entry.

    Attributes
    ----------
    query, verdict : str
        Name of the picture; a sentence.
    positive : bool or None
        Whether it is a copy; None if that is undecided.
    hit : Hit or None
    query_cell : int or None
    alignment : Alignment or None
    edits : tuple of str
    reason : str or None
        Why the two were not compared, or why there can be no hit.
    facts : mapping
        Names and values, for people.
    figures : mapping of str to bytes
        JPEGs: "query", "entry", and "overlap", one laid over the other.
    """

    query: str
    verdict: str
    positive: bool | None
    hit: Hit | None
    query_cell: int | None
    alignment: Alignment | None
    edits: tuple[str, ...]
    reason: str | None
    facts: Mapping[str, str]
    figures: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class WebhookState:
    """Delivery of a webhook: `state` is "waiting", "delivered" or "failed", `reason` says why."""

    url: str
    state: str
    attempts: int
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A release by upload, and its progress.

    Attributes
    ----------
    job : str
        Its token, for :meth:`Client.job`.
    state : str
        "running", "done" or "failed".
    total, done : int
        Pictures, and those that have an outcome.
    reason : str or None
        Why it failed; it is tried again when the service starts next.
    outcomes : tuple of Outcome
    webhook : WebhookState or None
    """

    job: str
    state: str
    total: int
    done: int
    reason: str | None
    outcomes: tuple[Outcome, ...]
    webhook: WebhookState | None = None


@dataclass(frozen=True, kw_only=True)
class EndedRelease:
    """A release that has ended, as a webhook is notified: its state, and counts of its pictures."""

    job: str
    state: str
    total: int
    released: int
    skipped: int
    failed: int
    reason: str | None
    address: str


class Answer(dict[str, Any]):
    """An object that a service answered with; `ArchiveError` for a key that it lacks."""

    def __missing__(self, key: str) -> Any:
        """Say that it is no answer."""
        raise _unknown(f"it has no {key!r}")


def read_answer(body: bytes) -> Answer:
    """Read an object of JSON; `ArchiveError` if it is none: of a login page before the service."""
    with understanding():
        values = json.loads(body)
        if not isinstance(values, dict):
            raise TypeError("it is no object")
        return Answer(values)


@contextmanager
def understanding() -> Iterator[None]:
    """Raise `ArchiveError` where an answer is not what it should be."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise _unknown(f"{type(error).__name__}: {error}") from error


def _unknown(reason: str) -> ArchiveError:
    return ArchiveError(
        f"the answer is not that of a service of homing ({reason}); is another program at this "
        "address, or a proxy before it?"
    )


def from_json(kind: Callable[..., _T], values: Mapping[str, Any]) -> _T:
    """Make an object of its keys; those that are not known, of a newer service, are left out."""
    hints = _hints(kind)
    with understanding():
        known = hints.keys() & values.keys()
        return kind(**{name: _value(hints[name], values[name]) for name in known})


def decision_of(values: Mapping[str, Any]) -> RecordedDecision:
    """Make a decision of its keys."""
    with understanding():
        return from_json(RecordedDecision, {**values, "copy": values["decision"] == "copy"})


def evidence_of(values: Mapping[str, Any]) -> Evidence:
    """Make evidence of its keys; the figures come as data: addresses."""
    with understanding():
        figures = {
            name: base64.b64decode(address.partition(",")[2])
            for name, address in values["figures"].items()
        }
    return from_json(Evidence, {**values, "figures": figures})


def _value(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (other,) = (each for each in arguments if each is not types.NoneType)
        return None if value is None else _value(other, value)
    if origin is tuple:
        return tuple(_value(arguments[0], each) for each in value)
    if kind is datetime.datetime:
        return datetime.datetime.fromisoformat(value)
    return from_json(kind, value) if kind in _NESTED else value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    names = {each.name for each in dataclasses.fields(kind)}
    return {name: hint for name, hint in get_type_hints(kind).items() if name in names}


_NESTED = (Hit, Decision, Partial, Outcome, Alignment, WebhookState)
