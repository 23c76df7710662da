"""A service and a browser, one of each for all tests of the pages."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import skimage
import uvicorn
from PIL import Image

import homing
from homing.demo.generated import generated_picture
from homing.images import Limits
from homing.serve.app import create_app
from homing.serve.keys import KeyRing
from homing.serve.settings import Settings

ENTRIES = 64  # generated ones: more than the page of the archive shows at once
LIMIT = 2**20  # bytes of a picture


class Served(NamedTuple):
    """A running service."""

    address: str
    settings: Settings


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that scikit-image ships, and what is made of them."""
    folder = tmp_path_factory.mktemp("pictures")
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


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Iterator[Served]:
    """A service of an archive with two released pictures and some generated ones."""
    root = tmp_path_factory.mktemp("served")
    generator = np.random.default_rng(5)
    (root / "others").mkdir()
    for number in range(ENTRIES):
        generated_picture(generator, (80, 60)).save(root / "others" / f"{number:03}.png")
    archive = homing.create(root / "archive", expect=1000)
    archive.add(root / "others")
    ours = [pictures / "chelsea.png", pictures / "coffee.png"]
    report = archive.release(ours, out=root / "released", method="paper")
    assert report.count("released") == 2
    settings = Settings(
        archive=str(root / "archive"),
        folder=root / "service",
        limits=Limits(max_bytes=LIMIT),
        most_bytes=3 * LIMIT,
        workers=1,
    )
    with running(settings) as address:
        yield Served(address, settings)


class running:
    """A service in a thread of this process, on a free port."""

    def __init__(self, settings: Settings) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(settings), log_config=None, access_log=False, ws="none", lifespan="on"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> str:
        self._thread.start()
        until = time.monotonic() + 60
        while not self._server.started:
            assert self._thread.is_alive()
            assert time.monotonic() < until
            time.sleep(0.02)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *unused: object) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        self._socket.close()


@pytest.fixture
def key(served: Served) -> Iterator[Callable[[str], str]]:
    """Make keys that the service asks for until the test ends."""
    ring = KeyRing(served.settings.folder)
    made: list[str] = []

    def make(rights: str) -> str:
        known, secret = ring.add("a test", rights)
        made.append(known.id)
        return secret

    yield make
    for name in made:
        ring.revoke(name)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; without one in the system the tests are skipped."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no chromium in PATH")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: Any, served: Served) -> Iterator[Callable[..., Any]]:
    """Open windows; what a page complains of or asks elsewhere fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_window(**options: Any) -> Any:
        options = {"viewport": {"width": 1200, "height": 800}} | options
        context = chromium.new_context(base_url=served.address, **options)
        context.set_default_timeout(60_000)  # a busy machine may take long
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend(_elsewhere(request, served)))
        page.on("console", lambda message: complaints.extend(_complaint(message)))
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


def _elsewhere(request: Any, served: Served) -> list[str]:
    here = request.url.startswith((served.address, "data:", "blob:"))
    return [] if here else [f"asked another place for {request.url}"]


def _complaint(message: Any) -> list[str]:
    # Chromium says so itself of every answer with a failing status; that is what some tests want.
    own = message.text.startswith("Failed to load resource")
    return [message.text] if message.type in ("error", "warning") and not own else []
