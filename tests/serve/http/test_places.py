"""Places of the service: no answer names one, whichever of its files is damaged."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import homing
from homing.serve.http.places import PrivatePlaces
from homing.serve.settings import Settings
from tests.helpers.service import Live, encoded, picture


def test_folders_are_left_out_however_they_are_written(tmp_path, monkeypatch):
    (tmp_path / "real" / "archive").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    places = PrivatePlaces(["link/archive", "bare", "s3://bucket/folder"])
    for text in ("link/archive/a.lance", "real/archive/x", "link/archive", "bare/x"):
        assert str(tmp_path) not in places.left_out(f"the file {tmp_path / text!s} is damaged")
    assert "bucket" not in places.left_out("the table at s3://bucket/folder/entries.lance")
    assert "link" not in places.left_out("the table at link/archive/entries.lance")
    assert places.left_out("a bare wall, see /v1/matches") == "a bare wall, see /v1/matches"


@pytest.fixture(scope="module")
def served(tmp_path_factory, empty_archive) -> Iterator[Live]:
    """A service whose pictures lie in a folder of their own; the file of 3 is missing."""
    folder = tmp_path_factory.mktemp("hidden")
    shutil.copytree(empty_archive, folder / "archive")
    archive = homing.open(folder / "archive")
    for place in ("sources", "added"):
        (folder / place).mkdir()
    for number in range(4):
        where = folder / ("sources" if number < 2 else "added")
        (where / f"{number}.jpg").write_bytes(encoded(picture(number)))
    archive.release(folder / "sources", out=folder / "out", method="paper")
    archive.add(folder / "added")
    (folder / "added" / "3.jpg").unlink()
    settings = Settings(
        archive=str(folder / "archive"),
        folder=folder / "served",
        no_keys=True,
        workers=1,
        files=(folder / "added",),
    )
    with Live(settings) as running:
        assert running.post("/v1/search?keep=true", encoded(picture(2))).status_code == 200
        released = running.post(
            "/v1/releases", encoded(picture(9)), field="pictures", method="paper"
        )
        running.job = released.json()["job"]
        job = folder / "served" / "jobs" / running.job
        while not list(job.glob("outcomes-*")) or list(job.glob("*.jpg")):
            time.sleep(0.05)
        yield running


def answers(live: Live) -> Iterator[tuple[str, str]]:
    """Yield a name and all that is told of each of many answers."""
    kept = next((live.settings.folder / "kept").iterdir()).name
    addresses = [
        *(
            "/v1/entries",
            "/v1/entries/0.jpg",
            "/v1/entries/none",
            "/v1/files/0.jpg",
            "/v1/files/2.jpg",
        ),
        *(
            "/v1/thumbnails/1.jpg",
            "/v1/thumbnails/2.jpg",
            "/v1/statistics",
            "/v1/decisions",
            "/browse",
        ),
        *("/browse/0.jpg", "/status", f"/found/{kept}", f"/v1/releases/{live.job}"),
        *(f"/v1/releases/{live.job}/files.zip", "/v1/manifests/urn:none", "/v1/services/status"),
    ]
    sent = [live.http.get(address) for address in addresses]
    for number in (0, 2, 3):
        data = encoded(picture(number))
        sent += [live.post("/v1/search", data), live.post(f"/v1/explain?id={number}.jpg", data)]
    sent.append(live.post("/v1/decisions", encoded(picture(1)), id="1.jpg", decision="copy"))
    sent.append(live.http.delete("/v1/entries/none"))
    sent.append(live.http.delete("/v1/decisions/999"))
    for answer in sent:
        told = answer.content.decode("latin-1")
        yield f"{answer.request.method} {answer.url.path}", f"{told} {answer.headers}"


def files_of(live: Live) -> list[Path]:
    home = live.settings.folder.parent
    files = [path for path in home.rglob("*") if path.is_file() and path.stat().st_size]
    # One of each kind and folder.
    return list({(path.parent, path.suffix): path for path in files}.values())


def test_no_answer_names_a_path_whatever_is_damaged(served):
    home = str(served.settings.folder.parent)
    for path in files_of(served):
        before = path.read_bytes()
        for damage in (b"no longer what it was", None):
            if damage is None:
                path.unlink()
            else:
                path.write_bytes(damage)
            try:
                for name, told in answers(served):
                    assert home not in told, (path, damage, name)
            finally:
                path.write_bytes(before)
