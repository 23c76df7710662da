"""Forwarded headers: who asks, and how, where a reverse proxy stands before the service."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from homing.serve.http.addresses import address_of, network_of

FORWARDING = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
)
"""Headers that proxies add: a request with one of them has come through some proxy."""

_FOR, _HOST, _PROTO = b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"


class ForwardedHeaders:
    """Middleware that believes the forwarded headers of the proxies, and of nobody else.

    From a proxy's request it takes the client's address, the scheme and the host. Of several
    addresses the last that is no proxy's counts, since clients can send any before it.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self._app = app
        self._networks = [network_of(text) for text in proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "http" and self._is_proxy((scope.get("client") or ("",))[0]):
            scope = self._as_forwarded(scope)
        await self._app(scope, receive, send)

    def _is_proxy(self, text: str) -> bool:
        address = address_of(text)
        return address is not None and any(address in network for network in self._networks)

    def _as_forwarded(self, scope: Scope) -> Scope:
        def values(name: bytes) -> list[str]:
            found = [value for key, value in scope["headers"] if key == name]
            return [part.strip() for part in b",".join(found).decode("latin-1").split(",") if part]

        told = dict(scope)
        for text in reversed(values(_FOR)):
            if address_of(text) is None:
                break
            told["client"] = (text, 0)
            if not self._is_proxy(text):
                break
        if (schemes := values(_PROTO)) and schemes[-1] in ("http", "https"):
            told["scheme"] = schemes[-1]
        if hosts := values(_HOST):
            others = [header for header in scope["headers"] if header[0] != b"host"]
            told["headers"] = [*others, (b"host", hosts[-1].encode("latin-1"))]
        return told
