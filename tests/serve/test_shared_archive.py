"""The archive's state is read by one thread at a time, whatever is requested together."""

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ClassVar

import httpx
import pytest

import homing
from homing.archive.table.versions import VersionedDataset
from homing.serve.settings import Settings
from tests.helpers.service import Live, encoded, picture


class Watched:
    """A dataset that notes the use of its handle by two threads at once, and is slow to let go."""

    violations: ClassVar[list[str]] = []

    def __init__(self, dataset):
        self._watched = dataset
        self._user, self._depth = None, 0

    @contextmanager
    def _used(self, name: str) -> Iterator[None]:
        me = threading.get_ident()
        if self._user not in (None, me):
            Watched.violations.append(name)
        self._user, self._depth = me, self._depth + 1
        time.sleep(0.001)
        try:
            yield
        finally:
            self._depth -= 1
            self._user = self._user if self._depth else None

    def __getattr__(self, name):
        with self._used(name):
            value = getattr(self._watched, name)
        if not callable(value):
            return value

        def call(*given, **more):
            with self._used(name):
                return value(*given, **more)

        return call


def _set(self, dataset):
    plain = dataset._watched if isinstance(dataset, Watched) else dataset
    self.__dict__["_watched"] = Watched(plain)


@pytest.fixture
def watched(monkeypatch, tmp_path, empty_archive) -> Iterator[Live]:
    shutil.copytree(empty_archive, tmp_path / "archive")
    archive = homing.open(tmp_path / "archive")
    (tmp_path / "photos").mkdir()
    for number in range(4):
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(encoded(picture(number)))
    archive.add(tmp_path / "photos")
    handle = property(lambda self: self.__dict__["_watched"], _set)
    monkeypatch.setattr(VersionedDataset, "_dataset", handle, raising=False)
    Watched.violations.clear()
    folder = tmp_path / "served"
    settings = Settings(archive=str(tmp_path / "archive"), folder=folder, no_keys=True, workers=1)
    with Live(settings) as running:
        yield running


def test_requests_of_all_kinds_together(watched):
    files = {"picture": encoded(picture(1))}
    requests = [
        ("POST", "/v1/search?views=turned", files),
        ("POST", "/v1/explain?views=upright", files),
        ("POST", "/v1/explain?views=upright&id=2.jpg", files),
        ("GET", "/v1/entries", None),
        ("GET", "/v1/entries/1.jpg", None),
        ("GET", "/v1/thumbnails/1.jpg", None),
        ("GET", "/v1/statistics", None),
        ("GET", "/v1/decisions", None),
        ("GET", "/browse", None),
        ("GET", "/v1/manifests/urn:none", None),
        ("GET", "/v1/services/status", None),
    ]

    def send(number: int) -> int:
        method, path, form = requests[number % len(requests)]
        return httpx.request(method, watched.url + path, files=form, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(send, range(5 * len(requests))))
    assert set(statuses) <= {200, 404}
    assert statuses.count(404) == 5  # the manifest
    assert Watched.violations == []
