"""Answers sent before all of a request's body has come: a lingering close.

A socket that is closed with unread bytes in it is reset, and a client that is still sending then
loses the answer. So the answer goes out at once and whole, further bytes are read and discarded
within bounds, and only then is the connection closed.
"""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALLOWED = "allowed_bytes"  # name in a request's state: the bytes that its body may have

_SECONDS = 2.0
_CLOSE = (b"connection", b"close")


class EarlyAnswers:
    """Middleware that lets a client read why its body was refused.

    At most `limit` bytes are discarded where the request's state does not name a limit, for at most
    `seconds`.
    """

    def __init__(self, app: ASGIApp, limit: int, seconds: float = _SECONDS) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        await self._app(scope, exchange.receive, exchange.send)
        if exchange.is_early:
            limit = scope.get("state", {}).get(ALLOWED, self._limit)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await exchange.discard(limit)
            await exchange.end()


class _Exchange:
    """A request and its answer, which is early if it begins before the whole body has come."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._complete = False
        self.is_early = False

    async def receive(self) -> Message:
        """Return the next part of the body."""
        message = await self._receive()
        self._complete = not message.get("more_body", False)  # or the client is gone
        return message

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer; the end of an early one is held back."""
        if message["type"] == "http.response.start" and not self._complete:
            self.is_early = True
            others = [each for each in message.get("headers", ()) if each[0].lower() != _CLOSE[0]]
            message = {**message, "headers": [*others, _CLOSE]}
        elif self.is_early and message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await self._send(message)

    async def discard(self, limit: int) -> None:
        """Read and drop the rest of the body, at most `limit` bytes."""
        while limit > 0 and not self._complete:
            limit -= len((await self.receive()).get("body", b""))

    async def end(self) -> None:
        """End the answer, and with it the connection."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
