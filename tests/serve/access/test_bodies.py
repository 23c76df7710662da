"""Bodies: bounded in size and time."""

import asyncio

import pytest
from fastapi import HTTPException, Request

from homing.serve.access.bodies import BodyLimits

LIMITS = BodyLimits(size=1000, rate=1000, patience=0.15)


def read(parts, pause, **headers):
    """Receive parts that come after pauses; return the bytes received."""
    left = list(parts)

    async def receive():
        await asyncio.sleep(pause)
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    async def run():
        scope = {"type": "http", "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
        bounded, got, more = LIMITS.bounded(Request(scope, receive), counts.append), b"", True
        while more:
            message = await bounded()
            got, more = got + message["body"], message["more_body"]
        return got

    counts = []
    got = asyncio.run(run())
    assert sum(counts) == len(got)
    return got


def test_a_body_at_the_least_rate_is_received():
    assert len(read([bytes(100)] * 8, 0.05)) == 800  # 0.4 seconds, of which 0.15 + 0.8 are allowed


@pytest.mark.parametrize("part", [b"x", b""])
def test_a_slow_one_is_refused(part):
    with pytest.raises(HTTPException, match="408"):
        read([part] * 1000, 0.02)


def test_a_large_one_is_refused():
    with pytest.raises(HTTPException, match="413"):
        read([bytes(600)] * 2, 0)
    with pytest.raises(HTTPException, match="413"):
        read([b""], 0, **{"content-length": "1001"})


def test_the_time_of_the_service_does_not_count():
    async def run():
        bounded = LIMITS.bounded(Request({"type": "http", "headers": []}, receive))
        for _ in range(4):
            await bounded()
            await asyncio.sleep(0.1)  # it stores the part

    async def receive():
        return {"type": "http.request", "body": b"x", "more_body": True}

    asyncio.run(run())
