"""The guard: it checks keys, browser sessions, rates and sizes before a body is read.

The body of a refused request is handled by :mod:`homing.serve.http.early_answers`.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from homing.errors import ArchiveError, UsageError
from homing.serve.access.bodies import BodyLimits
from homing.serve.access.keys import WRITE, Key, KeyRing
from homing.serve.access.secret import service_secret
from homing.serve.access.slots import CLIENT
from homing.serve.http.early_answers import ALLOWED
from homing.serve.http.forwarded import FORWARDING
from homing.serve.settings import LOOPBACK_NAMES, Settings

SCHEME = "key"  # name of the security scheme in the API's description

SESSION_SECONDS = 12 * 3600  # that a browser stays signed in

_SESSIONS = 10_000  # of browsers, at once
_FORM = 1 << 16  # bytes that a form has around its pictures
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Caller:
    """The sender of an admitted request."""

    id: str  # of the key; "local" where no keys are needed
    rights: str  # "read" or "write"
    client: str  # whose share of the service it takes: the key's, or its address's
    name: str = "local"  # of the key's holder


@dataclass
class _Bucket:
    """Requests left of a key's rate."""

    left: float
    at: float  # seconds of the guard's clock


class Guard:
    """Admits requests or refuses them with the reason; `clock` counts seconds.

    `cookie` is the name of the cookie that holds a browser's session.
    """

    def __init__(
        self, settings: Settings, keys: KeyRing, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._keyless = settings.no_keys
        self._keys = keys
        self.cookie = service_secret(settings.folder).cookie
        self._clock = clock
        self._sessions: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def admit(self, request: Request, right: str | None) -> Caller | None:
        """Return the sender of a request that needs a right; None where it needs none.

        Raises HTTP 401 without a key, 403 with too few rights or from a page of another site, and
        429 beyond the key's rate. The absence of keys admits nobody: only the setting does.
        """
        self._keyless = self._keyless and not self._keys.exists()  # once it is closed, it stays so
        if self._keyless:
            _refuse_other_machines(request)
        _refuse_other_sites(request)
        if right is None:
            return None
        if self._keyless:
            return Caller("local", WRITE, request.client.host if request.client else "local")
        try:
            key = self._key_of(request)
        except UsageError as error:  # their file is damaged
            raise ArchiveError("the keys cannot be read") from error
        if key is None:
            needed = "a key is needed: send it as 'Authorization: Bearer KEY', or sign in"
            wrong = "the key that was sent is none of this service, or was revoked; ask for another"
            sent = request.headers.get("authorization", "").lower().startswith("bearer ")
            raise HTTPException(401, wrong if sent else needed, {"WWW-Authenticate": "Bearer"})
        if not key.allows(right):
            raise HTTPException(403, f"the key {key.id} may only read; ask for one that may write")
        self._spend_rate(key.id)
        return Caller(key.id, key.rights, f"key {key.id}", key.name)

    def sign_in(self, secret: str) -> str | None:
        """Begin a browser's session and return its token; None if the secret is no key's."""
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
        """End a browser's session."""
        with self._lock:
            self._sessions.pop(token, None)

    def _key_of(self, request: Request) -> Key | None:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secret:
            return self._keys.find(secret.strip())
        with self._lock:
            id_, until = self._sessions.get(request.cookies.get(self.cookie, ""), ("", 0.0))
        if self._clock() >= until:
            return None
        return next((key for key in self._keys.all() if key.id == id_), None)

    def _spend_rate(self, id_: str) -> None:
        """Take one request from a key's token bucket: a minute's requests, filled steadily."""
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


def _refuse_other_machines(request: Request) -> None:
    """Refuse requests by another name, or through a proxy, to a service that asks for no key.

    A page of another site could make its own name resolve to this machine.
    """
    host = _host_name(request.headers.get("host", ""))
    if host not in LOOPBACK_NAMES:
        raise HTTPException(403, f"{host[:100]!r} is not this machine; use localhost")
    if any(name in request.headers for name in FORWARDING):
        raise HTTPException(403, "who comes through a proxy needs a key, and the service has none")


def _refuse_other_sites(request: Request) -> None:
    """Refuse requests that a page of another site makes a browser send."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if request.method not in _SAFE and origin and origin.partition("://")[2] != host:
        proxied = any(name in request.headers for name in FORWARDING)
        hint = "; of a proxy the service must know the address (--proxy)" if proxied else ""
        raise HTTPException(403, f"a page of another site may not do this{hint}")


def _host_name(host: str) -> str:
    """Return the name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not match
        return ""


def guarded(right: str | None, *, many: bool = False) -> type[APIRoute]:
    """Return a class of guarded routes, for ``APIRouter(route_class=...)``.

    `right` is "read", "write" or None: no key needed, and the body is small. `many` allows the size
    of several pictures. A request with a right holds a slot until its answer is sent; the others
    read nothing large and hold none, so that they cannot take those of clients with keys.
    """

    class Guarded(APIRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
            security: list[Any] = [] if right is None else [{SCHEME: [right]}]
            extra = {**(options.get("openapi_extra") or {}), "security": security}
            super().__init__(path, endpoint, **{**options, "openapi_extra": extra})

        async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
            with ExitStack() as held:
                scope.setdefault("state", {})["held"] = held
                await super().handle(scope, receive, send)

        def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
            handle = super().get_route_handler()

            async def handler(request: Request) -> Response:
                service = request.app.state.service
                limits = _body_limits(service.settings, right, many)
                setattr(request.state, ALLOWED, limits.size)
                caller = request.state.caller = service.guard.admit(request, right)
                if caller is None:
                    receive = limits.bounded(request)
                else:
                    CLIENT.set(caller.client)
                    slot = request.state.held.enter_context(service.slots.hold(caller.client))
                    receive = limits.bounded(request, slot)
                return await handle(Request(request.scope, receive))

            return handler

    return Guarded


def _body_limits(settings: Settings, right: str | None, many: bool) -> BodyLimits:
    pictures = settings.most_bytes if many else settings.limits.max_bytes
    size = (0 if right is None else pictures) + _FORM
    return BodyLimits(size, settings.least_rate, settings.patience)
