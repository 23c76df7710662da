"""How requests are sent: one description of each, and two clients that carry it out.

What a method does is a generator: it yields requests and pauses, and is sent the bodies of the
answers. A client that waits and one that is awaited run the same generators.
"""

import asyncio
import functools
import json
import re
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, overload
from urllib.parse import urlencode

import urllib3

from homing import errors
from homing.errors import ArchiveError, HomingError, PictureError, UsageError

Picture = str | PathLike[str] | bytes

_P = ParamSpec("_P")
_T = TypeVar("_T")

_TRIES = 6  # of a request for which the service is too busy
_LONGEST = 30.0  # seconds between two of them
_MOST_PICTURES, _MOST_BYTES = 100, 256 * 2**20  # of one upload
_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class Request:
    """A request, whose pictures are read when it is sent; options that are None are left out."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    fields: tuple[tuple[str, str], ...] = ()
    pictures: tuple[tuple[str, Picture], ...] = ()  # each with the name of its field
    body: Any = None  # to be sent as JSON

    @property
    def target(self) -> str:
        """Return path and query."""
        values = {
            key: str(value).lower() if isinstance(value, bool) else value
            for key, value in self.query.items()
            if value is not None
        }
        return f"{self.path}?{urlencode(values)}" if values else self.path


@dataclass(frozen=True)
class Pause:
    """A pause between two requests."""

    seconds: float


@dataclass(frozen=True)
class Item(Generic[_T]):
    """A value that an iterator yields."""

    value: _T


Steps: TypeAlias = Generator[Request | Pause, bytes, _T]
"""The steps of a method: requests and pauses, whose answers it is sent, to its result."""

Listing: TypeAlias = Generator[Request | Pause | Item[_T], bytes, None]
"""The same of a method that yields several values."""


class _Retry(urllib3.Retry):
    """Attempts that a service can put off, though not for long."""

    def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
        """Return for how long a service asks to wait."""
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, _LONGEST)


class Connection:
    """Connections to a service, for many threads.

    `connections` of them are kept open.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = 120.0,
        connections: int = 32,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is no address of a service: give http://HOST:PORT")
        if key is not None and not _KEY.fullmatch(key):
            # Not shown: it may be a key with the end of its line.
            raise UsageError("the key has blanks, or characters that no key has; see 'homing keys'")
        self._url, self._connections = url.rstrip("/"), connections
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        # A service that is too busy has done nothing, so that any request may be repeated.
        retries = _Retry(
            _TRIES,
            connect=0,
            read=0,
            redirect=0,
            status_forcelist=(429, 503),
            allowed_methods=None,
            backoff_factor=0.2,
            raise_on_status=False,
        )
        self._pool = urllib3.PoolManager(timeout=timeout, retries=retries, maxsize=connections)

    def send(self, request: Request) -> bytes:
        """Send a request and return the body of the answer; raise the error that it reports."""
        headers = dict(self._headers)
        body: str | None = None
        fields: list[Any] | None = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(request.body)
        elif request.pictures or request.fields:
            files = [(name, _named_bytes(picture)) for name, picture in request.pictures]
            fields = [*request.fields, *files]
        target = self._url + request.target
        try:
            answer = self._pool.request(
                request.method, target, body=body, fields=fields, headers=headers
            )
        except urllib3.exceptions.HTTPError as error:
            raise ArchiveError(
                f"the service at {self._url} cannot be reached: {_reason(error)}; is it running?"
            ) from error
        if answer.status >= 300:
            raise _error(answer.status, answer.data)
        return answer.data

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    """Return the system's words for a failure to connect, without those around them."""
    last = getattr(error, "reason", None) or error
    cause = getattr(last, "__cause__", None)
    return str((isinstance(cause, OSError) and cause.strerror) or last)


class Waiting(Connection):
    """Carries requests out in the calling thread."""

    def run(self, steps: Steps[_T]) -> _T:
        """Carry out a method's steps and return its result."""
        try:
            step = next(steps)
            while True:
                step = steps.send(self._do(step))
        except StopIteration as end:
            result: _T = end.value
            return result

    def iterate(self, steps: Listing[_T]) -> Iterator[_T]:
        """Carry out a method's steps and yield its values."""
        for step in steps:
            while not isinstance(step, Item):
                try:
                    step = steps.send(self._do(step))  # noqa: PLW2901 - the next one
                except StopIteration:
                    return
            yield step.value

    def _do(self, step: Request | Pause) -> bytes:
        if isinstance(step, Request):
            return self.send(step)
        time.sleep(step.seconds)
        return b""


class Awaited(Connection):
    """Carries requests out in threads of its own, and waits for them in an event loop."""

    @functools.cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._connections, "homing-client")

    async def run(self, steps: Steps[_T]) -> _T:
        """Carry out a method's steps and return its result."""
        try:
            step = next(steps)
            while True:
                step = steps.send(await self._do(step))
        except StopIteration as end:
            result: _T = end.value
            return result

    async def iterate(self, steps: Listing[_T]) -> AsyncIterator[_T]:
        """Carry out a method's steps and yield its values."""
        for step in steps:
            while not isinstance(step, Item):
                answer = await self._do(step)
                try:
                    step = steps.send(answer)  # noqa: PLW2901 - the next one
                except StopIteration:
                    return
            yield step.value

    async def _do(self, step: Request | Pause) -> bytes:
        if isinstance(step, Request):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self.send, step)
        await asyncio.sleep(step.seconds)
        return b""

    def close(self) -> None:
        """Close the connections; requests under way are finished first."""
        self._threads.shutdown(wait=False)
        super().close()


class Call(Generic[_P, _T]):
    """A method of both clients, made of its steps: it returns a result, or is awaited for it."""

    def __init__(self, steps: Callable[Concatenate[Any, _P], Steps[_T]]) -> None:
        self._steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, client: None, kind: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Waiting, kind: type) -> Callable[_P, _T]: ...
    @overload
    def __get__(self, client: Awaited, kind: type) -> Callable[_P, Coroutine[Any, Any, _T]]: ...
    def __get__(self, client: Any, kind: type) -> Any:
        """Return the method of a client."""
        return _bound(self._steps, client, "run")


class ListingCall(Generic[_P, _T]):
    """A method of both clients that yields values, by ``for`` or ``async for``."""

    def __init__(self, steps: Callable[Concatenate[Any, _P], Listing[_T]]) -> None:
        self._steps = steps
        self.__doc__ = steps.__doc__

    @overload
    def __get__(self, client: None, kind: type) -> Callable[..., Any]: ...
    @overload
    def __get__(self, client: Waiting, kind: type) -> Callable[_P, Iterator[_T]]: ...
    @overload
    def __get__(self, client: Awaited, kind: type) -> Callable[_P, AsyncIterator[_T]]: ...
    def __get__(self, client: Any, kind: type) -> Any:
        """Return the method of a client."""
        return _bound(self._steps, client, "iterate")


def _bound(steps: Callable[..., Any], client: Any, how: str) -> Callable[..., Any]:
    if client is None:
        return steps  # for help()

    @functools.wraps(steps)
    def method(*given: Any, **options: Any) -> Any:
        return getattr(client, how)(steps(client, *given, **options))

    return method


def parts(pictures: Sequence[str | PathLike[str]]) -> Iterator[list[str | PathLike[str]]]:
    """Split an upload into several of a bounded size."""
    part: list[str | PathLike[str]] = []
    total = 0
    for picture in pictures:
        try:
            size = Path(fspath(picture)).stat().st_size
        except OSError as error:
            reason = f"the file cannot be read: {error.strerror}"
            raise PictureError(f"{fspath(picture)}: {reason}") from error
        if part and (len(part) >= _MOST_PICTURES or total + size > _MOST_BYTES):
            yield part
            part, total = [], 0
        part.append(picture)
        total += size
    if part:
        yield part


def _named_bytes(picture: Picture) -> tuple[str, bytes]:
    """Return name and bytes of a picture, for a form."""
    if isinstance(picture, bytes):
        return "the picture", picture
    path = Path(fspath(picture))
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: the file cannot be read: {error.strerror}") from error


def _error(status: int, body: bytes) -> HomingError:
    """Return the error that an answer reports."""
    try:
        answer = json.loads(body)
        text, kind = str(answer["error"]), str(answer.get("kind"))
    except (ValueError, KeyError, TypeError):
        text, kind = f"it answered with status {status}", ""
    if kind in errors.__all__:
        error: HomingError = getattr(errors, kind)(text)
        return error
    if status == 404:
        return errors.EntryNotFoundError(text)
    return UsageError(text) if status < 500 and status != 429 else ArchiveError(text)
