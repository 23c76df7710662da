"""Services in this process, their clients, and pictures to send."""

import asyncio
import io
import threading
import time
from dataclasses import replace
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from PIL import Image

from homing.serve.access.guard import Guard
from homing.serve.access.keys import KeyRing
from homing.serve.app import create_app
from homing.serve.http.log import Log
from homing.serve.server import server_config
from homing.serve.service import Service
from homing.serve.settings import Settings
from tests.helpers import pictures


def picture(seed: int, size: tuple[int, int] = (200, 150)) -> Image.Image:
    """Return the picture of a seed, larger than those of other tests."""
    return pictures.picture(seed, size)


def encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=92)
    return buffer.getvalue()


def forget_keys(service: Service) -> None:
    """Make a service with the setting for it ask for no key again, as a new folder would."""
    for name in ("keys.json", "keys.lock"):
        (service.settings.folder / name).unlink()
    service.guard = Guard(service.settings, KeyRing(service.settings.folder))


class Live:
    """A service that runs in a thread of this process, with some entries."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.log = io.StringIO()
        self.app = create_app(settings, Log(self.log))
        self._server = uvicorn.Server(server_config(self.app, replace(settings, port=0)))
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> "Live":
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.02)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join()

    @property
    def service(self):
        return self.app.state.service

    def post(self, path: str, *pictures: bytes, field: str = "picture", **data: object):
        """Send pictures in a form."""
        files = [(field, (f"{number}.jpg", each)) for number, each in enumerate(pictures)]
        return self.http.post(path, files=files, data=data)


class Direct:
    """A client of an application, without a server or a start."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self._request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self._request("POST", path, **options)

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", cookies=self.cookies
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())
