"""Bodies of requests: bounded in size and time as they are received."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from fastapi import HTTPException, Request
from starlette.types import Message, Receive


@dataclass(frozen=True)
class BodyLimits:
    """Limits of a request's body."""

    size: int  # bytes
    rate: int  # bytes a second, at least
    patience: float  # seconds that the client may be behind that rate

    def bounded(self, request: Request, count: Callable[[int], None] | None = None) -> Receive:
        """Return a `receive` that refuses a body which is too large or too slow.

        `count`, if any, is called with the bytes of each part. Only the time counts for which the
        service waits for the client. The answer is HTTP 413 or 408.
        """
        stated = request.headers.get("content-length", "")
        if stated.isdecimal() and int(stated) > self.size:
            self._refuse_size()
        received, waited, complete = 0, 0.0, False

        async def receive() -> Message:
            nonlocal received, waited, complete
            if complete:  # what comes then is the end of the connection, at any time
                return await request.receive()
            begun = time.monotonic()
            left = self.patience + received / self.rate - waited
            try:
                async with asyncio.timeout(max(0.0, left)):
                    message = await request.receive()
            except TimeoutError:
                self._refuse_rate()
            waited += time.monotonic() - begun
            complete = not message.get("more_body", False)
            size = len(message.get("body", b""))
            received += size
            if received > self.size:
                self._refuse_size()
            if count is not None:
                count(size)
            return message

        return receive

    def _refuse_size(self) -> NoReturn:
        raise HTTPException(413, f"more than {self.size} bytes were sent; send less")

    def _refuse_rate(self) -> NoReturn:
        text = f"the body came at less than {self.rate} bytes a second; send it again"
        raise HTTPException(408, text)
