"""Observation of every request: counted, logged, bounded in number."""

import secrets
import time
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homing.serve.http.log import Log
from homing.serve.http.metrics import Metrics


class RequestObserver:
    """Middleware that counts and logs requests, and refuses those beyond `limit` at once."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: Log, limit: int) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log
        self._limit = limit
        self._current = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, status, start = secrets.token_hex(8), 500, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (b"x-request-id", request.encode())]
                message = {**message, "headers": headers}
            await send(message)

        self._current += 1
        self._metrics.start_request()
        try:
            app = self._refuse if self._current > self._limit else self._app
            await app(scope, receive, send_with_id)
        except Exception as error:
            self._log.write_error("internal error", error, request=request)
            raise
        finally:
            self._current -= 1
            self._record(scope, request, status, time.perf_counter() - start)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = JSONResponse(
            {"error": f"{self._limit} requests are being answered; come again in a second"},
            503,
            {"Retry-After": "1", "Connection": "close"},
        )
        await answer(scope, receive, send)

    def _record(self, scope: Scope, request: str, status: int, seconds: float) -> None:
        # The route's pattern rather than the path: these are few, and no client's.
        matched: Any = scope.get("route")
        route = getattr(matched, "path", None) or "(none)"
        self._metrics.end_request(scope["method"], route, status, seconds)
        caller = scope.get("state", {}).get("caller")
        self._log.write(
            "request",
            request=request,
            method=scope["method"],
            route=route,
            status=status,
            seconds=round(seconds, 4),
            key=caller.id if caller else None,
        )
