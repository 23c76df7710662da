"""The client of a service (homing.client), against a service with entries."""

import pytest

import homing
from homing.client import Client
from tests.helpers.service import encoded, picture


def test_the_client_answers_as_the_archive_does(live, tmp_path):
    client, archive = Client(live.url), homing.open(live.settings.archive)
    (tmp_path / "a.jpg").write_bytes(encoded(picture(2)))
    assert client.search(tmp_path / "a.jpg", k=2) == tuple(
        rounded(hit) for hit in archive.search(tmp_path / "a.jpg", k=2)
    )
    assert client.search(encoded(picture(2)), k=1, confirm=True)[0].id == "sea/2.jpg"
    assert client.explain(tmp_path / "a.jpg")["hit"]["id"] == "sea/2.jpg"
    assert client.cells(tmp_path / "a.jpg", 2) == archive.cells(tmp_path / "a.jpg", 2)
    ids = [entry["id"] for entry in client.entries(prefix="sea")]
    assert ids == [f"sea/{number}.jpg" for number in range(8)]
    vector = archive.descriptor.describe([tmp_path / "a.jpg"])[0]
    assert client.search_vector(vector, k=1)[0].id == "sea/2.jpg"
    assert client.entry("sea/0.jpg")["state"] == "released"
    assert client.file("sea/5.jpg") == encoded(picture(5))
    assert client.statistics()["entries"] == 8
    with pytest.raises(homing.PictureError, match="not a picture"):
        client.search(b"nothing")
    with pytest.raises(homing.PictureError, match="cannot be read"):
        client.search(tmp_path / "none.jpg")
    with pytest.raises(homing.UsageError):
        client.search(encoded(picture(2)), k=0)
    with pytest.raises(homing.EntryNotFoundError):
        client.entry("none")
    with pytest.raises(homing.ArchiveError, match="is it running"):
        Client("http://127.0.0.1:9").statistics()
    with pytest.raises(homing.UsageError, match="address"):
        Client("localhost")


def test_the_client_releases(live, tmp_path):
    client, seen = Client(live.url), []
    for number in range(2):
        (tmp_path / f"{number}.jpg").write_bytes(encoded(picture(50 + number)))
    paths = [tmp_path / "0.jpg", tmp_path / "1.jpg"]
    outcomes = client.release(paths, method="paper", prefix="new", on_outcome=seen.append)
    assert [outcome.status for outcome in outcomes] == ["released", "released"]
    assert list(outcomes) == seen
    again = client.release(paths, method="paper", prefix="new")
    assert [outcome.status for outcome in again] == ["skipped", "skipped"]
    for outcome in outcomes:
        client.remove(outcome.id)


def rounded(hit):
    values = hit.as_dict()
    del values["confirmed"]
    return homing.Hit(**{**values, "edits": hit.edits, "region": hit.region})
