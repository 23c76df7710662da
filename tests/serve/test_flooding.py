"""Floods: what one client holds or sends, with a key or without, leaves others their service."""

import contextlib
import runpy
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from homing.serve.access.keys import READ, KeyRing
from homing.serve.settings import Settings
from tests.helpers.service import Live, encoded, picture

BOMBS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "_bombs.py"))
REQUESTS = 8  # at once
FORM = "Content-Type: multipart/form-data; boundary=b"


@pytest.fixture
def closed(tmp_path: Path, empty_archive: Path) -> Iterator[Live]:
    """A service that asks for keys."""
    shutil.copytree(empty_archive, tmp_path / "archive")
    settings = Settings(
        archive=str(tmp_path / "archive"),
        folder=tmp_path / "served",
        workers=1,
        requests=REQUESTS,
        patience=5,
    )
    KeyRing(settings.folder).add("the first", READ)
    with Live(settings) as running:
        yield running


def client_of(live: Live, name: str) -> httpx.Client:
    _, secret = KeyRing(live.settings.folder).add(name, READ)
    return httpx.Client(
        base_url=live.url, timeout=60, headers={"Authorization": f"Bearer {secret}"}
    )


def slow(live: Live, path: str, *headers: str) -> socket.socket:
    """Begin a request whose body does not come."""
    address = live.url.partition("//")[2].split(":")
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Length: 10000", *headers, "", ""]
    connection = socket.create_connection((address[0], int(address[1])), timeout=30)
    connection.sendall("\r\n".join(head).encode())
    return connection


def search(client: httpx.Client) -> int:
    return client.post("/v1/search", files={"picture": encoded(picture(1))}).status_code


def test_requests_without_a_key_hold_no_slot(closed):
    with contextlib.ExitStack() as opened, client_of(closed, "honest") as honest:
        paths = ["/v1/search", "/sign-in", "/sign-out", "/v1/services/status", "/nowhere"]
        for number in range(10 * REQUESTS):
            opened.enter_context(slow(closed, paths[number % len(paths)], FORM))
        assert search(honest) == 200
        # Signing in is apart: it goes on too.
        assert httpx.post(f"{closed.url}/sign-in", data={"key": "x"}).status_code == 401
        assert httpx.get(f"{closed.url}/health").status_code == 200


def test_a_request_without_a_key_is_refused_before_its_body(closed):
    with slow(closed, "/v1/search", FORM) as connection:
        begun = time.monotonic()
        answer = connection.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 401")
        assert b"connection: close" in answer.lower()
        while connection.recv(1 << 16):
            pass
        assert time.monotonic() - begun < closed.settings.patience


def test_slow_bodies_of_one_key_leave_slots_to_others_and_end(closed):
    with (
        contextlib.ExitStack() as opened,
        client_of(closed, "slow") as lazy,
        client_of(closed, "honest") as honest,
    ):
        key = f"Authorization: {lazy.headers['Authorization']}"
        held = [
            opened.enter_context(slow(closed, "/v1/search", FORM, key)) for _ in range(REQUESTS)
        ]
        time.sleep(0.3)
        refused = lazy.get("/v1/entries")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        assert search(honest) == 200
        assert b"HTTP/1.1 408" in held[0].recv(1 << 16)
        assert lazy.get("/v1/entries").status_code == 200


def test_bombs_of_one_key_delay_that_key_alone(closed):
    slow = {"picture": BOMBS["png"]([], 6000)}  # black, and within the limits: a second and more
    with (
        client_of(closed, "bomber") as bomber,
        client_of(closed, "honest") as honest,
        ThreadPoolExecutor(4) as pool,
    ):
        assert search(honest) == 200
        bombs = [pool.submit(bomber.post, "/v1/search", files=slow) for _ in range(4)]
        time.sleep(0.3)
        begun = time.monotonic()
        assert search(honest) == 200
        assert time.monotonic() - begun < 3
        assert sum(bomb.done() for bomb in bombs) < 3
        assert {bomb.result().status_code for bomb in bombs} == {200}
