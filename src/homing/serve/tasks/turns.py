"""Turns: who may use the decoders next, so that one client delays none but itself."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from homing.serve.access.slots import CLIENT


class Turns:
    """`count` turns at once; waiting clients get theirs in rotation, and each in its own order.

    The last free turn is for a client that has none. So however long one client's take, another
    waits for none of them.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # first: whose rotation is next

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for a turn of the current client, and hold it."""
        client = CLIENT.get()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        self._give()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._held[client] -= 1
                if not self._held[client]:
                    del self._held[client]
            self._give()

    def _give(self) -> None:
        """Give the free turns."""
        given = True
        while given:
            given = False
            for client, turns in list(self._waiting.items()):
                while turns and turns[0].cancelled():
                    turns.popleft()
                if turns and self._may(client):
                    turns.popleft().set_result(None)
                    self._held[client] += 1
                    self._waiting[client] = self._waiting.pop(client)  # to the end
                    given = True
                if not turns:
                    self._waiting.pop(client, None)

    def _may(self, client: str) -> bool:
        free = self._count - self._held.total()
        return free > 1 or (free == 1 and not self._held[client])
