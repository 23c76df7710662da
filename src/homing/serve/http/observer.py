"""Observation of every request: counted and logged."""

import secrets
import time
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homing.serve.http.log import Log
from homing.serve.http.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestObserver:
    """Middleware that counts and logs requests."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: Log) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, status, start = secrets.token_hex(8), 500, time.perf_counter()
        begun = False

        async def send_with_id(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                headers = [*message.get("headers", ()), (b"x-request-id", request.encode())]
                message = {**message, "headers": headers}
            await send(message)

        self._metrics.start_request()
        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            self._log.write_error("internal error", error, request=request)
            if begun:
                raise
            # Answered here and not around all middleware, which would cost the connection.
            text = "internal error; the log of the service has more"
            await JSONResponse({"error": text}, 500)(scope, receive, send_with_id)
        finally:
            self._record(scope, request, status, time.perf_counter() - start)

    def _record(self, scope: Scope, request: str, status: int, seconds: float) -> None:
        # Few and no client's: the route's pattern rather than the path, and known methods alone.
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        matched: Any = scope.get("route")
        route = getattr(matched, "path", None) or "(none)"
        self._metrics.end_request(method, route, status, seconds)
        caller = scope.get("state", {}).get("caller")
        self._log.write(
            "request",
            request=request,
            method=method,
            route=route,
            status=status,
            seconds=round(seconds, 4),
            key=caller.id if caller else None,
        )
