"""Connections: closed where a client keeps the service waiting, and bounded in number."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial

import pytest
import uvicorn

from homing.serve.http.connections import Connection, Connections

PATIENCE, MOST = 0.5, 20
LARGE = 64 << 20  # bytes: more than the kernel's buffers hold of a connection
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Answers:
    """An application: ``/large`` is a large answer, ``/wait`` waits for `go`."""

    def __init__(self) -> None:
        self.broken = self.waiting = 0
        self.go = threading.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/large":
            for _ in range(LARGE >> 20):
                part = {"type": "http.response.body", "body": bytes(1 << 20), "more_body": True}
                await send(part)
            message = await receive()
            while message["type"] != "http.disconnect":
                message = await receive()
            self.broken += 1
        elif scope["path"] == "/wait":
            scope["state"]["caller"] = "somebody"  # as the guard admits
            self.waiting += 1
            while not self.go.is_set():
                await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"done", "more_body": False})


@pytest.fixture
def app() -> Answers:
    return Answers()


@pytest.fixture
def port(app) -> Iterator[int]:
    kept = Connections(MOST, PATIENCE)
    http = partial(Connection, kept=kept)
    config = uvicorn.Config(app, http=http, port=0, log_config=None, access_log=False, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    app.go.set()
    server.should_exit = True
    thread.join()
    assert len(kept) == 0


def connect(port, data=b""):
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(data)
    return connection


def seconds_until_closed(connection, part=b""):
    begun = time.monotonic()
    try:
        while True:
            connection.settimeout(0.05)
            try:
                if not connection.recv(1 << 16):
                    break
            except TimeoutError:
                connection.sendall(part)
            assert time.monotonic() - begun < 20
    except ConnectionError:
        pass
    return time.monotonic() - begun


@pytest.mark.parametrize("begin", [b"", GET[:10], GET])
@pytest.mark.parametrize("part", [b"", b"x"])
def test_a_head_has_a_time_whatever_trickles_in(port, begin, part):
    with connect(port, begin) as connection:
        assert PATIENCE * 0.8 < seconds_until_closed(connection, part) < 5


def test_a_client_that_does_not_read_is_closed(port, app):
    with connect(port, GET.replace(b"/ ", b"/large ", 1)):
        until = time.monotonic() + 20
        while not app.broken and time.monotonic() < until:
            time.sleep(0.05)
    assert app.broken == 1


def test_a_client_that_reads_slowly_gets_all(port, app):
    with connect(port, GET.replace(b"/ ", b"/large ", 1)) as connection:
        received, begun = 0, time.monotonic()
        while received < LARGE:
            received += len(connection.recv(1 << 20))
            if time.monotonic() - begun < 4 * PATIENCE:
                time.sleep(0.05)
    assert time.monotonic() - begun > 3 * PATIENCE


def test_held_connections_keep_nobody_out(port, app):
    with connect(port, GET.replace(b"/ ", b"/wait ", 1)) as admitted:
        while not app.waiting:
            time.sleep(0.01)
        held = [connect(port, GET[:10]) for _ in range(2 * MOST)]
        with contextlib.ExitStack() as opened, connect(port, GET) as honest:
            for each in held:
                opened.enter_context(each)
            assert honest.recv(100).startswith(b"HTTP/1.1 200")
            closed = [seconds_until_closed(each) for each in held]
            assert max(closed[:MOST]) < 0.1  # the oldest made room
        app.go.set()
        answer = b""
        while b"done" not in answer:
            answer += admitted.recv(100)
