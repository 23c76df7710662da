"""Rows recorded with their previews: added, released, replaced, by several processes, in stores."""

import json

import pyarrow as pa
import pytest

import homing
from homing.archive.ingest import run as running
from homing.archive.previews.record import carry, record_rows
from homing.archive.previews.store import PreviewStore
from homing.archive.table.table import Table
from homing.images.preview import preview_of, read_as_preview, read_preview
from tests.helpers.archive import child, completed, facts, released, row
from tests.helpers.pictures import make_pictures, picture

COUNT = 7


def drop_previews(archive: homing.Archive) -> homing.Archive:
    """Make it an archive as it was before there were previews, and open it again."""
    archive._table.dataset.drop_columns(["preview"])
    settings = archive.path / "archive.json"
    values = json.loads(settings.read_text())
    del values["previews"], values["sha256"]
    settings.write_text(json.dumps(values))
    return homing.open(archive.path)


@pytest.fixture
def photos(tmp_path):
    return make_pictures(tmp_path / "photos", COUNT)


@pytest.mark.parametrize("workers", [1, 2])
def test_previews_show_what_is_in_the_world(archive, photos, tmp_path, workers, monkeypatch):
    monkeypatch.setattr(running, "WAITS", (600.0,))  # one commit, however busy the machine is
    others = make_pictures(tmp_path / "others", 3, first=20)
    archive.add(others, workers=workers)
    archive.release(photos, out=tmp_path / "out", workers=workers)
    for folder in (others, tmp_path / "out"):
        for file in folder.iterdir():
            assert archive.preview(file.name) == read_as_preview(file, 480)
    assert archive.stats()["previews"] == COUNT + 3
    assert len(archive.preview_store.packs()) == 2  # one a commit
    with pytest.raises(homing.EntryNotFoundError):
        archive.preview("none")


def test_an_added_picture_that_is_released_gets_the_files_preview(archive, photos, tmp_path):
    archive.add(photos)
    before = archive.preview("000.jpg")
    archive.release(photos, out=tmp_path / "out")
    assert archive.preview("000.jpg") != before
    assert archive.preview("000.jpg") == read_as_preview(tmp_path / "out" / "000.jpg", 480)
    assert archive.stats()["previews"] == COUNT


def test_their_size_is_the_archives(tmp_path, network_file, codebook, photos, homing_cli):
    book = codebook.save(tmp_path / "book.safetensors")
    options = ["--descriptor", network_file, "--codebook", book]
    for side in (40, 0):
        place = tmp_path / f"archive-{side}"
        ended = homing_cli("init", place, *options, "--previews", side, "--json")
        assert ended.objects[0]["previews"] == side
        made = homing.open(place)
        made.add(photos)
        previews = [made.preview(each.id) for each in made.entries()]
        if side:
            assert {max(read_preview(each).size) for each in previews} == {side}
        else:
            assert set(previews) == {None}
            assert not (place / "previews").exists()
            assert homing_cli("previews", place).status == 2
        assert made.verify().clean
    assert homing_cli("init", tmp_path / "odd", *options, "--previews", 5).status == 2
    assert not (tmp_path / "odd").exists()
    with pytest.raises(homing.UsageError, match="16 to 4096"):
        homing.create(tmp_path / "odd", previews=5000)


def test_an_archive_made_before_gets_previews_of_new_entries(archive, photos, tmp_path):
    archive.add(photos)
    archive.index()
    stale = homing.open(archive.path)
    old = drop_previews(archive)
    before = old.versions()[-1]["version"]
    assert old.preview("000.jpg") is None
    assert old.stats()["previews"] == 0
    assert next(old.entries()).as_dict()["preview_bytes"] is None
    assert old.verify().clean
    beside = homing.open(archive.path)  # a handle on the table as it was
    old.add(make_pictures(tmp_path / "more", 2, first=50))
    assert old.preview("050.jpg") is not None
    assert old.preview("000.jpg") is None
    assert stale.preview("000.jpg") is None
    assert beside._table.lookup(["000.jpg"], []) == {"000.jpg": {"id": "000.jpg"}}
    beside.add(make_pictures(tmp_path / "third", 2, first=60))
    assert beside.preview("060.jpg") is not None
    assert [len(beside.search(tmp_path / "third" / "060.jpg")) > 0] == [True]
    assert beside.verify().clean
    assert beside.verify().previews == 4
    assert homing.open(archive.path, version=before).preview("000.jpg") is None


def test_rows_without_previews_take_those_of_others_away(table, tmp_path):
    store = PreviewStore(tmp_path / "previews", 480)
    preview = preview_of(picture(1), 480)
    rows = carry(table.to_arrow([row("a"), row("b", 2)]), [preview, None])
    assert record_rows(table, store, rows) == set()
    found = table.lookup(["a", "b"], ["preview"])
    assert store.read(found["a"]["preview"]) == preview
    assert found["b"]["preview"] is None
    bare = table.to_arrow([released("a")]).drop_columns(["preview"])  # as an older journal has them
    assert record_rows(table, store, bare) == set()
    assert table.lookup(["a"], ["preview"])["a"]["preview"] is None
    none = PreviewStore(tmp_path / "none", 0)
    record_rows(table, none, carry(table.to_arrow([row("c", 3)]), [preview]))
    assert table.lookup(["c"], ["preview"])["c"]["preview"] is None
    assert not none.folder.exists()


def test_columns_may_be_in_any_order(table, tmp_path):
    table.add_column(pa.field("code_16", pa.binary(16)))  # behind the previews
    store = PreviewStore(tmp_path / "previews", 480)
    rows = table.to_arrow([row("a")])
    rows = rows.select([n for n in reversed(rows.schema.names) if n != "preview"])
    record_rows(table, store, carry(rows, [preview_of(picture(1), 480)]))
    (made,) = Table.open(table.path).rows()
    assert made.preview is not None
    assert (made.id, made.width) == ("a", 3)


def test_three_writers_and_one_that_compacts(archive, photos, tmp_path):
    other = make_pictures(tmp_path / "other", COUNT, first=40)
    small = "import homing.archive.ingest.add as adding\nadding._COMMIT = 2\n"
    folders = (photos, photos, other)
    processes = [child(["add", archive.path, each], before=small) for each in folders]
    while any(process.poll() is None for process in processes):
        archive.compact()
    for process in processes:
        status, _, err = completed(process)
        assert status == 0, err
    opened = homing.open(archive.path)
    assert opened.verify().clean
    assert opened.stats()["previews"] == len(opened) == 2 * COUNT
    opened.compact()
    used = {each.preview.partition(":")[0] for each in opened.entries() if each.preview}
    assert set(opened.preview_store.packs()) == used
    assert len(facts(opened)) == 2 * COUNT
