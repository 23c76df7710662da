"""Answers that are given before all of a request's body has come: a lingering close.

A socket that is closed with unread bytes in it is reset, and a client that is still sending then
loses the answer. So the answer goes out at once and whole, what still comes is read and thrown
away, within bounds, and only then is the connection closed.
"""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALLOWED = "allowed_bytes"
"""Name in a request's state: the bytes that its body may have."""

_SECONDS = 2.0
_CLOSE = (b"connection", b"close")


class Lingering:
    """Middleware that lets a client hear why its body was not read to the end.

    Parameters
    ----------
    app : ASGI application
    most : int
        Bytes that are thrown away, at most, where the request's state does not say what was
        allowed.
    seconds : float
        How long a client may go on sending.
    """

    def __init__(self, app: ASGIApp, most: int, seconds: float = _SECONDS) -> None:
        self._app = app
        self._most = most
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or not _brings_body(scope):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        await self._app(scope, exchange.receive, exchange.send)
        if exchange.early:
            most = scope.get("state", {}).get(ALLOWED, self._most)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await exchange.throw_away(most)
            await exchange.end()


class _Exchange:
    """A request and its answer; the end of an answer that comes early is held back.

    Attributes
    ----------
    early : bool
        Whether the answer was begun before all of the body had come.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._whole = False
        self.early = False

    async def receive(self) -> Message:
        """Give the next part of the body."""
        message = await self._receive()
        self._whole = not message.get("more_body", False)  # or the client is gone
        return message

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer."""
        if message["type"] == "http.response.start" and not self._whole:
            self.early = True
            others = [each for each in message.get("headers", ()) if each[0].lower() != _CLOSE[0]]
            message = {**message, "headers": [*others, _CLOSE]}
        elif self.early and message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await self._send(message)

    async def throw_away(self, most: int) -> None:
        """Read what still comes, up to so many bytes."""
        while most > 0 and not self._whole:
            most -= len((await self.receive()).get("body", b""))

    async def end(self) -> None:
        """End the answer, and with it the connection."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _brings_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
