"""``homing previews``: previews of entries that have none."""

import pytest

import homing
from homing.archive.ingest import missing_previews
from homing.images.preview import read_as_preview
from tests.archive.previews.test_record import drop_previews
from tests.helpers.archive import child, completed
from tests.helpers.pictures import make_pictures, picture


@pytest.fixture
def old(archive, tmp_path):
    """An archive without previews: four released entries, three added ones."""
    archive.release(make_pictures(tmp_path / "photos", 4), out=tmp_path / "out")
    archive.add(make_pictures(tmp_path / "others", 3, first=20))
    archive.index()
    return drop_previews(archive)


def test_they_are_made_of_the_files(old, tmp_path, homing_cli, monkeypatch):
    monkeypatch.setattr(missing_previews, "_COMMIT", 2)
    vectors = {row.id: row.vector.tobytes() for row in old._table.rows(with_vectors=True)}
    ended = homing_cli("previews", old.path, "--json")
    assert ended.status == 1
    *failed, total = ended.objects
    assert [each["id"] for each in failed] == ["020.jpg", "021.jpg", "022.jpg"]
    assert all("--files" in each["reason"] for each in failed)
    assert (total["made"], total["present"], total["failed"]) == (4, 0, 3)
    picture(99).save(tmp_path / "others" / "022.jpg")
    ended = homing_cli("previews", old.path, "--files", tmp_path / "others")
    assert ended.status == 1
    assert "022.jpg has changed since it was recorded" in ended.err
    assert "2 previews made, 4 there already, 1 failed" in ended.out
    opened = homing.open(old.path)
    for row in opened.entries():
        folder = tmp_path / ("out" if row.state == "released" else "others")
        wanted = None if row.id == "022.jpg" else read_as_preview(folder / row.id, 480)
        assert opened.preview(row.id) == wanted
    assert {r.id: r.vector.tobytes() for r in opened._table.rows(with_vectors=True)} == vectors
    version = opened._table.version
    make_pictures(tmp_path / "others", 1, first=22)
    done = opened.previews([tmp_path / "out", tmp_path / "others"])
    assert (done.made, done.present, done.problems) == (1, 6, ())
    opened.previews()
    assert opened._table.version == version + 1  # the last run changed nothing
    assert opened.missing_previews == 0
    assert opened.verify().clean
    opened.index()
    assert opened.verify().clean
    assert len(opened) == opened.stats()["indexed"] == 7


def test_the_source_stands_in_for_a_released_file_that_is_gone(old, tmp_path):
    (tmp_path / "out" / "001.jpg").unlink()
    done = old.previews([tmp_path / "photos", tmp_path / "others"])
    assert (done.made, done.problems) == (7, ())
    assert [(note.id, note.message) for note in done.notes] == [
        ("001.jpg", missing_previews.OF_SOURCE)
    ]
    assert old.preview("001.jpg") == read_as_preview(tmp_path / "photos" / "001.jpg", 480)


def test_what_is_replaced_meanwhile_keeps_its_own(old, tmp_path, monkeypatch):
    others = tmp_path / "others"
    store = old.preview_store
    original = type(store).write

    def write(self, previews):
        monkeypatch.undo()
        homing.open(old.path).release(others, out=tmp_path / "out")  # another process
        homing.open(old.path).remove(["000.jpg"])
        return original(self, previews)

    monkeypatch.setattr(type(store), "write", write)
    done = old.previews(others)
    assert done.made == 3  # the three released and still there
    assert old.preview("020.jpg") == read_as_preview(tmp_path / "out" / "020.jpg", 480)
    assert len(old) == 6
    assert old.verify().clean


def test_several_at_once_and_one_killed(old, tmp_path):
    command = ["previews", old.path, "--files", tmp_path / "others"]
    small = "import homing.archive.ingest.missing_previews as m\nm._COMMIT = 2\n"
    die = (
        "import os, homing.archive.table.table as t\nreal, calls = t.Table.replace_previews, []\n"
        "def replace(*given):\n    calls.append(1)\n"
        "    if len(calls) == 2: os.kill(os.getpid(), 9)\n"
        "    return real(*given)\nt.Table.replace_previews = replace\n"
    )
    killed = child(command, before=small + die)
    killed.communicate(timeout=120)
    assert killed.returncode == -9
    opened = homing.open(old.path)
    assert opened.stats()["previews"] == 2
    assert opened.verify().clean
    processes = [child(command, before=small) for _ in range(2)]
    for process in processes:
        status, _, err = completed(process)
        assert status == 0, err
    assert opened.stats()["previews"] == 7
    assert opened.verify().clean
    opened.compact()
    assert opened.verify().clean
