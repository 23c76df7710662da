"""Checksums of a table's files: recorded with each commit, renewed by compacting, compared."""

import random

import pytest

import homing
from homing.archive.table.checksums import Checksums, tracked_files
from tests.helpers.archive import write
from tests.helpers.index import names
from tests.helpers.vectors import unit_vectors


@pytest.fixture
def filled(archive):
    """Two data files, a deletion and an index."""
    write(archive._table, archive.codebook, names(0, 20), unit_vectors(20, 1))
    write(archive._table, archive.codebook, names(20, 10), unit_vectors(10, 2))
    archive.remove(names(3, 2))
    archive.index()
    return archive


def flip(file, bit):
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)


def damaged(archive):
    return [each.path for each in archive._table.checksums.damaged()]


def test_every_file_of_every_version_is_recorded(filled):
    tracked = tracked_files(filled._table.dataset)
    kinds = {path.split("/")[0] for path in tracked}
    assert kinds == {"data", "_versions", "_transactions", "_deletions", "_indices"}
    assert filled._table.checksums.unrecorded(tracked) == set()
    assert filled._table.checksums.newest() == filled._table.version
    assert damaged(filled) == []


@pytest.mark.parametrize("kind", ["data", "_versions", "_transactions", "_deletions", "_indices"])
def test_flipped_bits_of_each_kind_are_named(filled, kind):
    chance = random.Random(kind)
    paths = sorted(p for p in tracked_files(filled._table.dataset) if p.startswith(kind))
    for _ in range(5):
        path = chance.choice(paths)
        file = filled._table.path / path
        bit = chance.randrange(8 * file.stat().st_size)
        flip(file, bit)
        assert damaged(filled) == [f"entries.lance/{path}"]
        flip(file, bit)
    assert damaged(filled) == []


def test_a_flipped_bit_of_a_record_is_named_and_compacting_makes_it_again(filled):
    record = sorted((filled.path / "checksums").glob("*.json"))[1]
    flip(record, 777)
    assert damaged(filled) == [f"checksums/{record.name}"]
    filled.compact()
    assert filled.verify().clean


def test_files_of_a_process_that_died_are_recorded_with_the_next_commit(filled, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Checksums, "record", lambda self, dataset: None)
        write(filled._table, filled.codebook, names(40, 10), unit_vectors(10, 3))
    checksums = filled._table.checksums
    assert checksums.unrecorded(tracked_files(filled._table.dataset))
    verified = filled.verify()
    assert verified.clean
    assert verified.unrecorded == 3  # manifest, transaction, data
    filled.remove(names(40, 1))
    assert filled.verify().unrecorded == 0


def test_an_archive_without_checksums_gets_them(filled):
    for record in (filled.path / "checksums").iterdir():
        record.unlink()
    in_view = tracked_files(filled._table.dataset, filled._table.version)
    assert filled.verify().unrecorded == len(in_view)
    filled.remove(names(7, 1))
    verified = filled.verify()
    assert (verified.clean, verified.unrecorded) == (True, 0)


def test_compacting_leaves_one_record_of_the_files_that_are_left(filled):
    before = filled._table.checksums.newest()
    filled.compact()
    assert len(list((filled.path / "checksums").glob("*.json"))) == 1
    tracked = tracked_files(filled._table.dataset)
    held = filled._table.checksums._held().known
    assert held.keys() == tracked.keys()
    assert filled._table.checksums.newest() == filled._table.version > before
    assert filled.verify().clean
    filled.remove(names(8, 1))
    assert filled.verify().clean


def test_nothing_is_read_again_where_nothing_is_committed(filled, monkeypatch):
    filled.compact()
    read = []
    digest = Checksums.digest
    monkeypatch.setattr(
        Checksums, "digest", lambda self, path: read.append(path) or digest(self, path)
    )
    filled._table.record_checksums()
    assert [path.split("/")[0] for path in read] == ["_versions"]
    assert len(list((filled.path / "checksums").glob("*.json"))) == 1


def test_damage_is_not_merged_into_new_files(filled):
    (file,) = {p for p in tracked_files(filled._table.dataset) if p.startswith("_deletions")}
    flip(filled._table.path / file, 2000)
    version = filled._table.version
    with pytest.raises(homing.ArchiveError, match=f"nothing is written.*{file}.*homing verify"):
        filled.compact()
    assert homing.open(filled.path)._table.version == version


def test_a_damaged_index_is_built_again(filled):
    index = next(p for p in tracked_files(filled._table.dataset) if p.endswith("auxiliary.idx"))
    flip(filled._table.path / index, 5000)
    (problem,) = filled.verify().problems
    assert "homing index" in problem.message
    assert filled.index().added == len(filled)
    assert filled.verify(files=False).clean
    filled.compact()
    assert filled.verify().clean


def test_a_lost_newest_version_is_named(filled):
    newest = filled._table.version
    manifest = max(
        (filled._table.path / "_versions").glob("*.manifest"), key=lambda f: f.stat().st_mtime_ns
    )
    manifest.rename(manifest.with_suffix(".away"))
    again = homing.open(filled.path)
    assert again._table.version == newest - 1
    for files in (True, False):
        (problem,) = again.verify(files=files).problems
        assert f"version {newest} was recorded and is lost" in problem.message


def test_a_lost_version_is_named_although_another_has_its_number(filled):
    newest = max(
        (filled._table.path / "_versions").glob("*.manifest"), key=lambda f: f.stat().st_mtime_ns
    )
    newest.unlink()
    again = homing.open(filled.path)
    again.remove(names(9, 1))
    (problem,) = again.verify().problems
    assert f"{newest.name} is not the first version of its number" in problem.message


def test_a_lost_file_is_named(filled):
    (file,) = {p for p in tracked_files(filled._table.dataset) if p.startswith("_deletions")}
    (filled._table.path / file).unlink()
    again = homing.open(filled.path)
    assert any(f"{file} is lost" in problem.message for problem in again.verify().problems)
