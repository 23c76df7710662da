import asyncio
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image

import homing
from homing.images import Limits
from homing.serve.app import create_app
from homing.serve.log import Log
from homing.serve.settings import Settings


def picture(seed: int, size: tuple[int, int] = (200, 150)) -> Image.Image:
    """Smooth coloured noise: every seed another picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=92)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory: pytest.TempPathFactory, network_file: Path) -> Path:
    """An archive without entries; a test that writes copies it."""
    vectors = np.random.default_rng(0).standard_normal((600, 192))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    descriptor = homing.load_descriptor(network_file)
    codebook = homing.train_codebook(
        vectors.astype(np.float32), "IVF8,PQ8x8", descriptor=descriptor.fingerprint
    )
    folder = tmp_path_factory.mktemp("empty")
    homing.create(folder / "archive", descriptor=network_file, codebook=codebook)
    return folder / "archive"


class Live:
    """A service that runs in a thread of this process, with some entries."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.told = io.StringIO()
        self.app = create_app(settings, Log(self.told))
        config = uvicorn.Config(self.app, port=0, log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
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
    """Asks an application without a server; one that needs no start."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self._ask("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self._ask("POST", path, **options)

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://localhost", cookies=self.cookies
            ) as client:
                return await client.request(method, path, **options)

        return asyncio.run(ask())


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, empty_archive: Path) -> Iterator[Live]:
    """A service of eight entries: 0 to 4 released, 5 to 7 added, of which 7 is not at hand."""
    import shutil

    folder = tmp_path_factory.mktemp("live")
    shutil.copytree(empty_archive, folder / "archive")
    archive = homing.open(folder / "archive")
    for name in ("released", "added"):
        (folder / name / "sea").mkdir(parents=True)
    for number in range(8):
        where = "released" if number < 5 else "added"
        (folder / where / "sea" / f"{number}.jpg").write_bytes(encoded(picture(number)))
    archive.release(folder / "released", out=folder / "out", method="paper")
    archive.add(folder / "added")
    (folder / "added" / "sea" / "7.jpg").unlink()
    settings = Settings(
        archive=str(folder / "archive"),
        folder=folder / "served",
        limits=Limits(max_pixels=1_000_000, max_bytes=300_000),
        most_bytes=1_000_000,
        workers=1,
        seconds=20,
        kept=3,
        files=(folder / "added",),
    )
    with Live(settings) as running:
        yield running
