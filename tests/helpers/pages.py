"""A service with pages, pictures for it, and the errors that a browser reports."""

import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import skimage
import uvicorn
from PIL import Image

import homing
from homing.demo.generated import generated_picture
from homing.options import Limits
from homing.serve.app import create_app
from homing.serve.server import server_config
from homing.serve.service import Service
from homing.serve.settings import Settings

ENTRIES = 64  # generated pictures: more than the archive's page shows at once
LIMIT = 2**20  # bytes per picture


def make_pictures(folder: Path) -> Path:
    """Write photographs of scikit-image, edited copies of them, and files to refuse."""
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        shutil.copyfile(Path(skimage.__file__).parent / "data" / name, folder / name)
    with Image.open(folder / "chelsea.png") as cat:
        cat.crop((70, 30, 400, 290)).save(folder / "crop.jpg", quality=80)
    with Image.open(folder / "rocket.jpg") as rocket:
        rocket.resize((256, 171)).save(folder / "small.jpg", quality=92)
    (folder / "notes.jpg").write_text("not a picture at all")
    noise = np.random.default_rng(0).integers(0, 256, (700, 700, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "large.png")
    assert (folder / "large.png").stat().st_size > LIMIT
    return folder


def make_archive(root: Path, pictures: Path) -> Settings:
    """Make an archive of two released and some generated pictures; return a service's settings."""
    generator = np.random.default_rng(5)
    (root / "others").mkdir()
    for number in range(ENTRIES):
        generated_picture(generator, (80, 60)).save(root / "others" / f"{number:03}.png")
    archive = homing.create(root / "archive", expect=1000)
    archive.add(root / "others")
    ours = [pictures / "chelsea.png", pictures / "coffee.png"]
    report = archive.release(ours, out=root / "released", method="paper")
    assert report.count("released") == 2
    return Settings(
        archive=str(root / "archive"),
        folder=root / "service",
        no_keys=True,
        limits=Limits(max_bytes=LIMIT),
        most_bytes=3 * LIMIT,
        workers=1,
    )


class Running:
    """A service in a thread of this process, on a free port."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.app = create_app(settings)
        self._server = uvicorn.Server(server_config(self.app, settings))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> "Running":
        self._thread.start()
        until = time.monotonic() + 120
        while not self._server.started:
            assert self._thread.is_alive()
            assert time.monotonic() < until
            time.sleep(0.02)
        return self

    @property
    def service(self) -> Service:
        return self.app.state.service

    def __exit__(self, *unused: object) -> None:
        self._server.should_exit = True
        self._thread.join(60)
        self._socket.close()


def watch(page: Any, address: str, complaints: list[str]) -> None:
    """Note the errors of a page (policy, scripts), and its requests to other places."""

    def on_request(request: Any) -> None:
        if not request.url.startswith((address, "data:", "blob:")):
            complaints.append(f"requested elsewhere: {request.url}")

    def on_message(message: Any) -> None:
        # Chromium reports every answer with a failing status; some tests cause them on purpose.
        is_status = message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not is_status:
            complaints.append(message.text)

    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", on_request)
    page.on("console", on_message)
