"""Screenshots of the service's pages: those of docs/guides/serving.md, or of every page.

An archive of scikit-image's pictures and generated ones is made and served, and a browser visits
it. Needs Chromium in PATH, Playwright and the extra ``serve``.
"""

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageEnhance

_WINDOWS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1120, "height": 840}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1120, "height": 840}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}
#: Screenshots in docs/guides/serving.md: page, window, and height in pixels to which it is cropped.
_DOCUMENTED = (("found", "light", 850), ("publish", "dark", 1345), ("found", "phone", 880))
_BACKGROUND = 220  # further entries: enough for calibration
_QUALITY = 82


@dataclass(frozen=True)
class _Material:
    archive: Path
    others: Path
    suspect: Path
    to_release: tuple[Path, ...]


def main() -> int:
    """Make the archive, serve it, and take the screenshots."""
    options = _options()
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        print("no chromium in PATH", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        material = _make_material(Path(folder))
        with _serve(material) as address:
            for window in _WINDOWS:
                heights = {page: height for page, where, height in _DOCUMENTED if where == window}
                with closing(_visit(browser, address, window, material)) as pages:
                    for page, picture in pages:
                        path = options.out / f"serving-{page}-{window}.jpg"
                        if options.all:
                            _write(picture, path, None)
                        elif page in heights:
                            _write(picture, path, heights.pop(page))
                            if not heights:
                                break
    return 0


def _options() -> argparse.Namespace:
    reader = argparse.ArgumentParser(description=__doc__)
    pictures = Path("docs/pictures")
    reader.add_argument("--out", type=Path, default=pictures, help="folder for the screenshots")
    reader.add_argument("--all", action="store_true", help="every page in every window, uncropped")
    return reader.parse_args()


def _make_material(folder: Path) -> _Material:
    import homing
    from homing.demo.material import copy_bundled_pictures, write_background

    copy_bundled_pictures(folder / "photos")
    write_background(folder / "others", _BACKGROUND, seed=1)
    held_back = tuple(folder / name for name in ("coffee.png", "rocket.jpg"))
    for path in held_back:
        shutil.move(folder / "photos" / path.name, path)
    archive = homing.create(folder / "agency", expect=1000)
    archive.add(folder / "others")
    archive.release(folder / "photos", out=folder / "released", method="robust-fast")
    with Image.open(folder / "released" / "chelsea.png") as cat:
        cut = ImageEnhance.Brightness(cat.convert("RGB")).enhance(1.25).crop((60, 20, 400, 290))
    suspect = folder / "found-on-the-web.jpg"
    cut.rotate(-7, expand=True, fillcolor="white").save(suspect, quality=70)
    return _Material(folder / "agency", folder / "others", suspect, held_back)


@contextmanager
def _serve(material: _Material) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = [material.archive, "--no-keys", "--files", material.others, "--port", port]
    command = [sys.executable, "-m", "homing", "serve", *map(str, options)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # its log
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{address}/health").close()
                break
            except urllib.error.URLError:
                if process.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _visit(
    browser: str, address: str, window: str, material: _Material
) -> Generator[tuple[str, Path]]:
    """Visit all pages; yield the name and the screenshot of each."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        chromium = playwright.chromium.launch(executable_path=browser)
        page = chromium.new_context(base_url=address, **_WINDOWS[window]).new_page()

        def capture(name: str) -> tuple[str, Path]:
            page.wait_for_load_state("networkidle")
            path = Path(folder) / f"{name}.png"
            page.screenshot(path=path, full_page=True)
            return name, path

        page.goto("/")
        yield capture("search")
        page.set_input_files("#picture", material.suspect)
        page.wait_for_url("**/found/*")
        yield capture("found")
        page.goto("/browse?state=released")
        yield capture("browse")
        page.goto("/browse/chelsea.png")
        yield capture("entry")
        page.goto("/publish")
        page.set_input_files("#pictures", material.to_release)
        page.wait_for_selector("#views:visible", timeout=120_000)
        yield capture("publish")
        page.fill("#prefix", window)
        page.click("#release")
        page.wait_for_selector("#outcome:visible", timeout=120_000)
        yield capture("published")
        page.goto("/status")
        yield capture("status")
        page.goto("/sign-in")
        yield capture("sign-in")
        page.goto("/reference")
        yield capture("reference")
        page.goto("/browse/nothing-of-this-name.jpg")
        yield capture("problem")
        chromium.close()


def _write(picture: Path, path: Path, height: int | None) -> None:
    with Image.open(picture) as image:
        shown = image.convert("RGB")
    if height is not None:
        shown = shown.crop((0, 0, shown.width, min(height, shown.height)))
    shown.save(path, quality=_QUALITY, optimize=True)
    print(f"wrote {path} ({path.stat().st_size >> 10} kB)")


if __name__ == "__main__":
    sys.exit(main())
