"""Early answers: clients refused while they still send get the reason, then are cut off."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import uvicorn
from fastapi import APIRouter, FastAPI

from homing.options import Limits
from homing.serve.access.guard import Guard, guarded
from homing.serve.access.keys import READ, KeyRing
from homing.serve.app import add_failure_handlers
from homing.serve.http.early_answers import EarlyAnswers
from homing.serve.settings import Settings

SECONDS = 0.6
LIMIT = 1 << 20
SLACK = 20 << 20  # the most that the kernel's buffers hold of a connection


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Iterator[int]:
    """A server with a route that needs a key, which no client has."""
    folder = tmp_path_factory.mktemp("served")
    settings = Settings(archive="archive", folder=folder, limits=Limits(max_bytes=LIMIT))
    ring = KeyRing(folder)
    ring.add("reader", READ)
    app = FastAPI()
    app.state.service = SimpleNamespace(settings=settings, guard=Guard(settings, ring))
    routes = APIRouter(route_class=guarded(READ))

    @routes.post("/v1/search")
    async def search() -> None:
        raise AssertionError

    app.include_router(routes)
    add_failure_handlers(app, settings.places)
    app.add_middleware(EarlyAnswers, limit=LIMIT, seconds=SECONDS)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def connect(port: int, length: int, *more: str) -> socket.socket:
    """Open a connection and send the head of a request."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = [
        "POST /v1/search HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {length}",
        *more,
        "",
        "",
    ]
    connection.sendall("\r\n".join(head).encode())
    return connection


def heard(connection: socket.socket) -> tuple[bytes, dict[str, str]]:
    """Read until the other side closes; return the head, and the body's JSON."""
    data = b""
    while part := connection.recv(1 << 16):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    return head.lower(), json.loads(body)


def refused(head: bytes, said: dict[str, str]) -> bool:
    return head.startswith(b"http/1.1 401 ") and said["error"].startswith("a key is needed")


def test_a_client_that_sends_all_always_gets_the_reason(port):
    for _ in range(20):
        with connect(port, 400_000) as connection:
            for _ in range(40):
                connection.sendall(bytes(10_000))
                time.sleep(0.002)
            head, said = heard(connection)
        assert refused(head, said)
        assert b"connection: close" in head


def test_a_client_that_waits_for_an_answer_gets_it_at_once(port):
    start = time.monotonic()
    with connect(port, 400_000, "Expect: 100-continue") as connection:
        first = connection.recv(100)
        assert time.monotonic() - start < SECONDS
        assert first.startswith(b"HTTP/1.1 401 ")  # and not 100: the client need not send the body
        heard_until_closed = first + b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert b"a key is needed" in heard_until_closed


def test_a_connection_stays_open_where_nothing_is_left_to_read(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    first = connection.sock
    for _ in range(2):
        connection.request("POST", "/v1/search")
        answer = connection.getresponse()
        assert answer.status == 401
        assert answer.read()
    assert connection.sock is first
    connection.close()


def cut_off_after(port: int, part: bytes, pause: float) -> tuple[int, float]:
    """Return the bytes and seconds after which a client that sends without end is cut off."""
    sent, start = 0, time.monotonic()
    with connect(port, 1 << 40) as connection:
        while sent < 4 * SLACK and time.monotonic() - start < 30:
            try:
                sent += connection.send(part)
            except ConnectionError:
                break
            time.sleep(pause)
    return sent, time.monotonic() - start


def test_a_client_that_sends_without_end_is_cut_off(port):
    sent, _ = cut_off_after(port, bytes(1 << 16), pause=0)
    assert LIMIT < sent < LIMIT + SLACK


def test_a_client_that_sends_slowly_is_cut_off(port):
    _, seconds = cut_off_after(port, b"x", pause=0.02)
    assert SECONDS / 2 < seconds < 10
