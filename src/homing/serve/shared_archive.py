"""An archive that several threads share: its state is read here alone, by one of them at a time."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from homing.archive import Archive

_T = TypeVar("_T")


class SharedArchive:
    """An archive for many threads, of which one at a time uses it.

    Lance's handle of a table cannot be read while it moves on to a newer version: the reader gets
    "Already mutably borrowed". So nothing that reads the table is reached but by :meth:`call`.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self.settings = archive.settings  # these two never change
        self.descriptor = archive.descriptor

    def call(self, function: Callable[[Archive], _T]) -> _T:
        """Call a function with the archive, alone; it returns nothing that reads the table."""
        with self._lock:
            return function(self._archive)

    async def call_in_thread(self, function: Callable[[Archive], _T]) -> _T:
        """Call a function likewise, without keeping the event loop."""
        return await asyncio.to_thread(self.call, function)
