"""Around every request: counted, logged, bounded in number."""

import secrets
import time
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homing.serve.http.log import Log
from homing.serve.http.metrics import Metrics


class Seen:
    """What is known of a request: given to whoever handles it, in ``scope["state"]``."""

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self.status = 500
        self.began = time.perf_counter()


class Observed:
    """Middleware that counts and logs requests, and turns some away when there are too many.

    Parameters
    ----------
    app : ASGI application
    metrics : Metrics
    log : Log
    most : int
        Requests at once.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, log: Log, most: int) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log
        self._most = most
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = Seen()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", seen.id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        self._now += 1
        self._metrics.begun()
        try:
            app = self._busy if self._now > self._most else self._app
            await app(scope, receive, sending)
        except Exception as error:
            self._log.problem("internal error", error, request=seen.id)
            raise
        finally:
            self._now -= 1
            self._tell(scope, seen)

    async def _busy(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = JSONResponse(
            {"error": f"{self._most} requests are being answered; come again in a second"},
            503,
            {"Retry-After": "1", "Connection": "close"},
        )
        await answer(scope, receive, send)

    def _tell(self, scope: Scope, seen: Seen) -> None:
        route = _route_of(scope)
        seconds = time.perf_counter() - seen.began
        self._metrics.ended(scope["method"], route, seen.status, seconds)
        caller = scope.get("state", {}).get("caller")
        self._log.write(
            "request",
            request=seen.id,
            method=scope["method"],
            route=route,
            status=seen.status,
            seconds=round(seconds, 4),
            key=caller.id if caller else None,
        )


def _route_of(scope: Scope) -> str:
    """Pattern of the route, not what the client made of it: there are few of them."""
    route: Any = scope.get("route")
    return getattr(route, "path", None) or "(none)"


def observe(app: FastAPI, metrics: Metrics, log: Log, most: int) -> None:
    """Put it around an application."""
    app.add_middleware(Observed, metrics=metrics, log=log, most=most)
