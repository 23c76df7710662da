"""Connections: bounded in number, and closed where a client keeps the service waiting.

uvicorn bounds the idle time between two requests alone. How long a body takes is bounded where it
is read (:mod:`homing.serve.access.bodies`).
"""

import asyncio
import sys
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_FOR_ANSWERS = 3  # times as long as for a head: people pause downloads


class Connections:
    """The open connections of a service, oldest first.

    Beyond `most`, or half the files that this process may open, the oldest one is closed that has
    no admitted request: a new client is never refused because others hold connections.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._most = min(most, _most_files() // 2)
        self._open: dict[Connection, None] = {}
        self.patience = patience  # seconds that a head may take

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: "Connection") -> None:
        """Count a new connection, and make room for it."""
        self._open[connection] = None
        if len(self._open) > self._most:
            next((each for each in self._open if not each.is_admitted), connection).abort()

    def remove(self, connection: "Connection") -> None:
        """Forget a connection that is closed."""
        self._open.pop(connection, None)

    def renew(self, connection: "Connection") -> None:
        """Count a connection as the newest."""
        if connection in self._open:
            self._open[connection] = self._open.pop(connection)


class Connection(H11Protocol):
    """A connection with a time for each request's head, and for the client to read the answer."""

    def __init__(self, *given: Any, kept: Connections, **more: Any) -> None:
        super().__init__(*given, **more)
        self._kept = kept
        self._for_head: asyncio.TimerHandle | None = None
        self._for_answer: asyncio.TimerHandle | None = None

    @property
    def is_admitted(self) -> bool:
        """Return whether a request of a known client is being answered."""
        return not self._awaits_head and self.scope["state"].get("caller") is not None

    @property
    def _awaits_head(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def abort(self) -> None:
        """Close it at once."""
        self._kept.remove(self)
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and wait for its first request."""
        super().connection_made(transport)
        self._time_head()
        self._kept.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._kept.remove(self)
        _cancel(self._for_head)
        _cancel(self._for_answer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent."""
        super().data_received(data)
        self._time_head()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the client to read the answer before the close."""
        if self.scope["state"].get("caller") is not None:
            self._kept.renew(self)
        super().on_response_complete()
        if self.transport.is_closing():
            self._time_answer()
        else:
            self._time_head()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, whose client may not have read its last answer."""
        super().timeout_keep_alive_handler()
        self._time_answer()

    def pause_writing(self) -> None:
        """Wait for a client that does not read."""
        super().pause_writing()
        self._time_answer()

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        _cancel(self._for_answer)
        self._for_answer = None

    def _time_head(self) -> None:
        """Begin to count the time of a head, or stop if it has come."""
        if not self._awaits_head:
            _cancel(self._for_head)
            self._for_head = None
        elif self._for_head is None:
            self._for_head = self.loop.call_later(self._kept.patience, self.abort)

    def _time_answer(self) -> None:
        if self._for_answer is None:
            seconds = _FOR_ANSWERS * self._kept.patience
            self._for_answer = self.loop.call_later(seconds, self.abort)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _most_files() -> int:
    """Return how many files this process may open."""
    if sys.platform == "win32":
        return 8192
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft
