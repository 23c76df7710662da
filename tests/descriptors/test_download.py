"""Downloads of weights, from a loopback server that breaks off or refuses ranges.

Also load_descriptor with weights that are fetched, recorded and verified.
"""

import hashlib
import json
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homing.descriptors import cache_folder, download, load_descriptor, loading, registry
from homing.errors import DescriptorError

DATA = bytes(range(256)) * 4000  # about 1 MB


@dataclass
class Served:
    """Behaviour of the server, which tests change."""

    data: bytes = DATA
    etag: str = '"one"'
    ranges: bool = True
    breaks: list[int | None] = field(default_factory=list)  # bytes before each; None: no break
    status: int = 200
    requests: list[str | None] = field(default_factory=list)  # their Range headers
    url: str = ""


@pytest.fixture
def served():
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            state.requests.append(wanted)
            if state.status != 200:
                self.send_error(state.status)
                return
            start, status = 0, 200
            if wanted and state.ranges and self.headers.get("If-Range") == state.etag:
                start, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
            if start >= len(state.data):
                self.send_error(416)
                return
            self.send_response(status)
            self.send_header("ETag", state.etag)
            self.send_header("Content-Length", str(len(state.data) - start))
            if status == 206:
                last = len(state.data) - 1
                self.send_header("Content-Range", f"bytes {start}-{last}/{len(state.data)}")
            self.end_headers()
            stop = state.breaks.pop(0) if state.breaks else None
            end = len(state.data) if stop is None else start + stop
            self.wfile.write(state.data[start:end])

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/weights.pt"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "cache" / "weights.pt"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def fetch(served, target, **arguments):
    download.fetch(served.url, target, pause=0, **arguments)


def test_comes_whole_with_progress(served, target):
    steps = []
    fetch(served, target, progress=lambda step: steps.append((step.done, step.total)))
    assert target.read_bytes() == DATA
    names = sorted(path.name for path in target.parent.iterdir())
    assert names == ["weights.pt", "weights.pt.lock"]
    assert steps == sorted(steps)
    assert steps[-1] == (len(DATA), len(DATA))
    assert served.requests == [None]


def test_goes_on_after_a_break(served, target):
    half = len(DATA) // 2
    served.breaks = [half, 1000]
    steps = []
    fetch(served, target, progress=lambda step: steps.append((step.done, step.total)))
    assert target.read_bytes() == DATA
    assert served.requests == [None, f"bytes={half}-", f"bytes={half + 1000}-"]
    assert {total for _, total in steps} == {len(DATA)}


def test_a_later_call_goes_on(served, target):
    half = len(DATA) // 2
    served.breaks = [half] + [0] * download._ATTEMPTS
    with pytest.raises(DescriptorError, match=served.url):
        fetch(served, target)
    assert not target.exists()
    served.requests.clear()
    fetch(served, target)
    assert target.read_bytes() == DATA
    assert served.requests == [f"bytes={half}-"]


def test_of_a_changed_file_no_tail_is_taken(served, target):
    served.breaks = [600_000] + [0] * download._ATTEMPTS
    with pytest.raises(DescriptorError):
        fetch(served, target)
    served.data, served.etag = DATA[::-1][:300_000], '"two"'
    fetch(served, target)
    assert target.read_bytes() == served.data


def test_a_server_without_ranges_starts_again(served, target):
    served.ranges, served.breaks = False, [500_000]
    fetch(served, target)
    assert target.read_bytes() == DATA
    assert served.requests == [None, "bytes=500000-"]


def test_a_file_that_was_all_there_is_fetched_again(served, target):
    # Interrupted between the last byte and the rename: the server has nothing beyond it.
    target.parent.mkdir()
    target.with_name("weights.pt.part").write_bytes(DATA)
    target.with_name("weights.pt.part.json").write_text(json.dumps({"validator": '"one"'}))
    served.breaks = [None]
    fetch(served, target)
    assert target.read_bytes() == DATA


def test_two_at_once_make_one_whole_file(served, target):
    served.breaks = [400_000, 300_000]
    threads = [threading.Thread(target=fetch, args=(served, target)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == DATA
    assert served.requests == [None, "bytes=400000-", "bytes=700000-"]  # by one of them


def test_a_refusal_says_its_status(served, target):
    served.status = 404
    with pytest.raises(DescriptorError, match="404"):
        fetch(served, target)
    assert not target.exists()


def test_a_place_that_cannot_be_written(served, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DescriptorError, match="cannot be written"):
        fetch(served, tmp_path / "file" / "weights.pt")


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("HOMING_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("HOMING_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/homing")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "homing"


# From here on by load_descriptor; the server replaces the published address.


@pytest.fixture
def cache(served, monkeypatch, tmp_path):
    """The folder of fetched weights; `sscd_disc_mixup` is fetched from the server."""
    monkeypatch.setenv("HOMING_CACHE", str(tmp_path / "cache"))
    entries = tuple(
        replace(info, url=served.url) if info.name == "sscd_disc_mixup" else info
        for info in registry()
    )
    monkeypatch.setattr(loading, "registry", lambda: entries)
    return tmp_path / "cache" / "descriptors"


def test_is_fetched_once_recorded_and_verified(served, cache, published_file):
    served.data = published_file.read_bytes()
    served.breaks = [len(served.data) // 2]
    first = load_descriptor("sscd_disc_mixup")
    assert len(served.requests) == 2
    record = json.loads((cache / "sscd_disc_mixup.torchvision.pt.json").read_text())
    digest = hashlib.sha256(served.data).hexdigest()
    assert record == {"sha256": digest, "size_bytes": len(served.data), "url": served.url}

    again = load_descriptor("sscd_disc_mixup", download=False)
    assert again.fingerprint == first.fingerprint
    assert first.fingerprint == load_descriptor(published_file).fingerprint
    assert len(served.requests) == 2

    with (cache / "sscd_disc_mixup.torchvision.pt").open("ab") as file:
        file.write(b"\0")
    changed = hashlib.sha256(served.data + b"\0").hexdigest()
    with pytest.raises(DescriptorError, match=changed) as caught:
        load_descriptor("sscd_disc_mixup")
    assert digest in str(caught.value)


def test_a_page_instead_of_weights_is_not_stored(served, cache, published_file):
    served.data = b"<html>Please log in to the network</html>"
    with pytest.raises(DescriptorError, match="not a file of weights"):
        load_descriptor("sscd_disc_mixup")
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    served.data, served.etag = published_file.read_bytes(), '"two"'
    assert load_descriptor("sscd_disc_mixup").dimension == 512


def test_offline_it_says_which_file_to_put_where(cache, served):
    with pytest.raises(DescriptorError) as caught:
        load_descriptor("sscd_disc_mixup", download=False)
    path = cache / "sscd_disc_mixup.torchvision.pt"
    assert served.url in str(caught.value)
    assert str(path) in str(caught.value)
    assert served.requests == []


def test_without_a_server_it_says_so_at_once(cache, served, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("it waits"))
    dead = tuple(replace(i, url="http://127.0.0.1:1/weights.pt") for i in registry())
    monkeypatch.setattr(loading, "registry", lambda: dead)
    info = next(i for i in dead if i.name == "sscd_imagenet_blur")
    assert not info.bundled
    with pytest.raises(DescriptorError, match="the connection failed") as caught:
        load_descriptor("sscd_imagenet_blur")
    assert str(cache / "sscd_imagenet_blur.torchvision.pt") in str(caught.value)


def test_a_file_put_there_by_hand_is_recorded(cache, served, published_file):
    cache.mkdir(parents=True)
    place = cache / "sscd_disc_mixup.torchvision.pt"
    place.write_bytes(published_file.read_bytes())
    load_descriptor("sscd_disc_mixup", download=False)
    assert served.requests == []
    record = json.loads(place.with_name(place.name + ".json").read_text())
    assert record["sha256"] == hashlib.sha256(place.read_bytes()).hexdigest()


def test_a_damaged_record_is_not_passed_over(cache, published_file):
    cache.mkdir(parents=True)
    place = cache / "sscd_disc_mixup.torchvision.pt"
    place.write_bytes(published_file.read_bytes())
    place.with_name(place.name + ".json").write_text("{")
    with pytest.raises(DescriptorError, match="damaged"):
        load_descriptor("sscd_disc_mixup")
