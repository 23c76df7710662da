"""Queue between threads that takes from its clients in rotation."""

import threading
from collections import deque
from queue import Empty
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items of several clients: each client's in order, the clients in rotation."""

    def __init__(self) -> None:
        self._items: dict[str, deque[Item]] = {}  # first: whose rotation is next
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._items.values()))

    def put(self, client: str, item: Item) -> None:
        """Append an item of a client."""
        with self._changed:
            self._items.setdefault(client, deque()).append(item)
            self._changed.notify()

    def close(self) -> None:
        """Let :meth:`get` return None once the queue is empty."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def get(self, timeout: float | None = None) -> Item | None:
        """Take an item; `queue.Empty` if none comes in time, None if none will come."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._items or self._closed, timeout):
                raise Empty
            if not self._items:
                return None
            client = next(iter(self._items))
            items = self._items.pop(client)
            item = items.popleft()
            if items:
                self._items[client] = items  # at the end
            return item
