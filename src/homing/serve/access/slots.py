"""Slots: the requests answered at once, and the share of them that each client may have."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from fastapi import HTTPException

CLIENT: ContextVar[str] = ContextVar("client", default="")
"""The client whose request is being answered: the id of its key, or its address without keys."""

_RETRY = {"Retry-After": "1"}


class Slots:
    """At most `most` requests at once; a client may hold as many as it leaves free.

    One client alone gets half of them, two get a third each: whatever some hold, there is room for
    another. The bodies of a client's requests may have `most_bytes` in all.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._held: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    @contextmanager
    def hold(self, client: str) -> Iterator[Callable[[int], None]]:
        """Hold a slot; yield what counts the bytes received. HTTP 429 beyond the client's share."""
        free = self._most - self._held.total()
        if self._held[client] >= free:
            if free <= 0:
                text = f"{self._most} requests are being answered; come again in a second"
                raise HTTPException(503, text, _RETRY)
            text = f"{self._held[client]} of your requests are being answered; wait for them"
            raise HTTPException(429, text, _RETRY)
        received = 0

        def count(size: int) -> None:
            nonlocal received
            received += size
            self._bytes[client] += size
            if self._bytes[client] > self._most_bytes:
                text = f"your requests of this moment have more than {self._most_bytes} bytes"
                raise HTTPException(429, f"{text}; send less at once", _RETRY)

        self._held[client] += 1
        try:
            yield count
        finally:
            self._held[client] -= 1
            self._bytes[client] -= received
            if not self._held[client]:  # so that no client is remembered for ever
                del self._held[client], self._bytes[client]
