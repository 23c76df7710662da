"""Who may do what: keys, sessions of browsers, rates, and the sizes of what is sent.

It is asked before a byte of a request's body is read; what becomes of the body of who is refused
is :mod:`homing.serve.http.early_answers`'s.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from homing.serve.access.keys import WRITE, Key, KeyRing
from homing.serve.http.early_answers import ALLOWED
from homing.serve.settings import LOOPBACK_NAMES, Settings

COOKIE = "homing_session"

_SESSIONS = 10_000  # of browsers, at once
SESSION_SECONDS = 12 * 3600
"""How long a browser stays signed in."""
_FORM = 1 << 16  # bytes
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Caller:
    """Who a request is from.

    Attributes
    ----------
    id : str
        Of the key; "local" where no keys are needed.
    rights : {"read", "write"}
    """

    id: str
    rights: str


@dataclass
class _Bucket:
    """What is left of a key's rate."""

    left: float
    at: float


class Guard:
    """Lets requests through, or says why not.

    Parameters
    ----------
    settings : Settings
    keys : KeyRing
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self, settings: Settings, keys: KeyRing, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def admit(self, request: Request, right: str | None) -> Caller | None:
        """Tell who a request is from, if it may do that; nobody, if anybody may.

        Raises
        ------
        HTTPException
            401 without a key, 403 with too few rights or from a page of another site, 429 if it
            comes too often.
        """
        open_to_all = not self._keys.all() and self._settings.on_loopback
        _refuse_strangers(request, by_name=open_to_all)
        if right is None:
            return None
        if open_to_all:
            return Caller("local", WRITE)
        key = self._key_of(request)
        if key is None:
            raise HTTPException(
                401,
                "a key is needed: send it as 'Authorization: Bearer KEY', or sign in",
                {"WWW-Authenticate": "Bearer"},
            )
        if not key.allows(right):
            raise HTTPException(403, f"the key {key.id} may only read; ask for one that may write")
        self._refuse_haste(key.id)
        return Caller(key.id, key.rights)

    def sign_in(self, secret: str) -> str | None:
        """Begin a session of a browser; None if that is no key."""
        key = self._keys.find(secret)
        if key is None:
            return None
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[token] = (key.id, self._clock() + SESSION_SECONDS)
            while len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        return token

    def sign_out(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(token, None)

    def _key_of(self, request: Request) -> Key | None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secret:
            return self._keys.find(secret.strip())
        with self._lock:
            id_, until = self._sessions.get(request.cookies.get(COOKIE, ""), ("", 0.0))
        if self._clock() >= until:
            return None
        return next((key for key in self._keys.all() if key.id == id_), None)

    def _refuse_haste(self, id_: str) -> None:
        """Take one request from a key's rate: a bucket of a minute's requests, filled steadily."""
        most = float(self._settings.rate_limit)
        if not most:
            return
        now = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault(id_, _Bucket(most, now))
            bucket.left = min(most, bucket.left + (now - bucket.at) * most / 60)
            bucket.at = now
            if bucket.left < 1:
                wait = (1 - bucket.left) * 60 / most
                raise HTTPException(
                    429,
                    f"more than {most:g} requests a minute; come again in {wait:.1f} seconds",
                    {"Retry-After": str(int(wait) + 1)},
                )
            bucket.left -= 1


def _refuse_strangers(request: Request, *, by_name: bool) -> None:
    """Refuse what a page of another site makes a browser send.

    Where no key is asked for, such a page could also have a name of its own lead to this machine.
    """
    host = request.headers.get("host", "")
    if by_name and _name_of(host) not in LOOPBACK_NAMES:
        raise HTTPException(403, f"{_name_of(host)[:100]!r} is not this machine; use localhost")
    origin = request.headers.get("origin")
    if request.method not in _SAFE and origin and origin.partition("://")[2] != host:
        raise HTTPException(403, "a page of another site may not do this")


def _name_of(host: str) -> str:
    """Host without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not match
        return ""


def guarded(right: str | None, *, many: bool = False) -> type[APIRoute]:
    """Class of routes that ask the guard first, for ``APIRouter(route_class=...)``.

    Parameters
    ----------
    right : {"read", "write"} or None
        What is needed; None: no key, and the body is small.
    many : bool
        Whether a request may bring several pictures.
    """

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                service = request.app.state.service
                most = _most_bytes(service.settings, right, many)
                setattr(request.state, ALLOWED, most)
                request.state.caller = service.guard.admit(request, right)
                return await handle(Request(request.scope, _bounded(request, most)))

            return handler

    return Guarded


def _most_bytes(settings: Settings, right: str | None, many: bool) -> int:
    """Bytes of a request's body: pictures, and what a form has around them."""
    pictures = settings.most_bytes if many else settings.limits.max_bytes
    return (0 if right is None else pictures) + _FORM


def _bounded(request: Request, most: int) -> Receive:
    """Refuse a body that says it is too long, or turns out to be while it comes."""

    def refuse() -> Any:
        raise HTTPException(413, f"more than {most} bytes were sent; send less")

    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > most:
        refuse()
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > most:
            refuse()
        return message

    return receive
