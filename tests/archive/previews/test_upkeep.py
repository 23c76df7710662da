"""Packs swept, and previews counted, exported and imported."""

import datetime
import os
import time

import pyarrow.parquet as pq
import pytest

import homing
from homing.archive.previews.upkeep import count_previews, sweep_packs
from tests.archive.previews.test_record import drop_previews
from tests.helpers.pictures import make_pictures, picture


@pytest.fixture
def filled(archive, tmp_path):
    archive.add(make_pictures(tmp_path / "photos", 4))
    archive.add(make_pictures(tmp_path / "more", 3, first=10))
    return archive


def pack_of(archive, name):
    return archive.entry(name).preview.partition(":")[0]


def test_a_pack_goes_once_nothing_refers_to_it(filled):
    first, second = pack_of(filled, "000.jpg"), pack_of(filled, "010.jpg")
    filled.remove(["000.jpg", "001.jpg", "002.jpg"])
    assert filled.compact()["packs_removed"] == 0
    filled.remove(["003.jpg"])
    kept = filled.compact(keep=datetime.timedelta(days=1))
    assert kept["packs_removed"] == 0  # a version still refers to it
    size = (filled.path / "previews" / first).stat().st_size
    freed = filled.compact()
    assert freed["packs_removed"] == 1
    assert freed["bytes_freed"] >= size
    assert filled.preview_store.packs() == [second]
    assert filled.verify().clean


def test_orphans_and_partial_files_go(filled):
    store = filled.preview_store
    store.write([b"x" * 100])
    part = store.folder / ".x.pack.0123.part"
    part.write_bytes(b"half")
    hour = datetime.timedelta(hours=1)
    assert sweep_packs(filled._table, store, hour) == (0, 0)  # a commit may be about to name it
    assert part.exists()
    (orphan,) = set(store.packs()) - {pack_of(filled, "000.jpg"), pack_of(filled, "010.jpg")}
    old = f"{int(time.time()) - 4000:08x}{orphan[8:]}"
    (store.folder / orphan).rename(store.folder / old)
    os.utime(part, (0, 0))
    assert sweep_packs(filled._table, store, hour) == (1, 100)
    assert not part.exists()
    store.write([b"x" * 100])
    assert filled.compact()["packs_removed"] == 1
    assert filled.compact()["packs_removed"] == 0
    assert filled.verify().clean


def test_they_are_counted(filled):
    sizes = [row.as_dict()["preview_bytes"] for row in filled.entries()]
    assert all(sizes)
    counts = count_previews(filled._table)
    assert (counts.previews, counts.bytes_of_previews) == (7, sum(sizes))
    stats = filled.stats()
    assert (stats["previews"], stats["bytes_of_previews"]) == (7, sum(sizes))
    assert stats["bytes_on_disk"] > sum(sizes)


def test_they_are_exported_and_imported(filled, create, tmp_path, homing_cli):
    whole, without = tmp_path / "whole.parquet", tmp_path / "without.parquet"
    assert homing_cli("export", filled.path, whole).status == 0
    assert homing_cli("export", filled.path, without, "--no-previews").status == 0
    assert pq.read_table(whole)["preview"][0].as_py() == filled.preview("000.jpg")
    assert "preview" not in pq.read_schema(without).names
    other, bare = create("other"), create("bare")
    assert other.import_rows(whole).imported == bare.import_rows(without).imported == 7
    for row in other.entries():
        assert other.preview(row.id) == filled.preview(row.id)
        assert bare.preview(row.id) is None
    assert other.verify().previews == 7
    assert bare.verify().clean
    old = drop_previews(bare)
    old.remove(["000.jpg"])
    before = tmp_path / "before.parquet"
    assert old.export(before) == 6  # of an archive without the column
    assert old.import_rows(whole).imported == 1
    assert old.preview("000.jpg") == filled.preview("000.jpg")
    assert create("again").import_rows(before).problems == ()


def test_a_lost_preview_is_exported_as_none_and_a_strange_one_refused(filled, create, tmp_path):
    (filled.path / "previews" / pack_of(filled, "010.jpg")).unlink()
    file = tmp_path / "rows.parquet"
    filled.export(file)
    rows = pq.read_table(file)
    assert [each is None for each in rows["preview"].to_pylist()] == [False] * 4 + [True] * 3
    column = rows.schema.get_field_index("preview")
    strange = [b"no picture", *rows["preview"].to_pylist()[1:]]
    rows = rows.set_column(column, rows.schema.field(column), [strange])
    pq.write_table(rows, tmp_path / "strange.parquet")
    done = create("other").import_rows(tmp_path / "strange.parquet")
    assert done.imported == 6
    assert [problem.id for problem in done.problems] == ["000.jpg"]
    assert "preview" in done.problems[0].message


def test_searching_reads_none_and_hits_lead_to_theirs(filled, tmp_path):
    for engine in ("memory", "lance"):
        opened = homing.open(filled.path, engine=engine)
        vectors = opened.descriptor.describe([picture(2)])
        snapshot = opened._current.snapshot()
        found = snapshot.search(vectors, k=3, probes=8, rerank=64)
        pictures = snapshot.pictures(found.positions[0])
        read = opened.preview_store.find([each.preview for each in pictures])
        assert read == [opened.preview(name) for name in found.ids[0]]
        assert snapshot.pictures(found.positions[0][:0]) == []
