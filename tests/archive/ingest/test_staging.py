"""Staging alone: leftovers of a run that died, and the archive that they belong to."""

import errno
import hashlib
import os
import random
from pathlib import Path

import pyarrow as pa
import pytest

import homing
from homing.archive.ingest.staging import STAGING_PREFIX, Staging, clear, damaged_journals, recover


def rows(*names: str) -> pa.Table:
    digests = [hashlib.sha256(name.encode()).digest() for name in names]
    return pa.table(
        {"id": pa.array(names), "file_sha256": pa.array(digests, pa.binary(32))},
    )


def stage(staging: Staging, *names: str) -> list:
    return [
        staging.write(name.encode(), Path(name), hashlib.sha256(name.encode()).digest())
        for name in names
    ]


class FakeTable:
    """A table that records the committed ids, and refuses some."""

    def __init__(self, refused: set[str] = frozenset()) -> None:
        self.committed: list[str] = []
        self.refused = refused

    def __call__(self, table: pa.Table) -> set[str]:
        assert table.column_names == ["id", "file_sha256"]
        self.committed += [i for i in table.column("id").to_pylist() if i not in self.refused]
        return set(self.refused)


def stagings(out: Path) -> list[Path]:
    return sorted(out.glob(STAGING_PREFIX + "*"))


class DiedError(Exception):
    pass


def die_in_commit(out: Path, *names: str, owner: str = "us") -> None:
    """A run that dies between publishing its files and committing their rows."""

    def died(table: pa.Table) -> set[str]:
        raise DiedError

    with pytest.raises(DiedError), Staging(out, owner) as staging:
        staging.commit(rows(*names), stage(staging, *names), died)


def test_files_appear_and_rows_are_committed(tmp_path):
    book = FakeTable()
    with Staging(tmp_path / "new" / "out", "us") as staging:
        assert staging.commit(rows("a", "b"), stage(staging, "a", "b"), book) == ["recorded"] * 2
        assert staging.commit(rows("c"), stage(staging, "c"), book) == ["recorded"]
        assert [p.name for p in staging.folder.iterdir()] == ["lock"]
    assert sorted(p.name for p in (tmp_path / "new" / "out").iterdir()) == ["a", "b", "c"]
    assert book.committed == ["a", "b", "c"]


def test_a_file_of_a_refused_row_is_withdrawn_but_not_one_that_was_there(tmp_path):
    (tmp_path / "b").write_bytes(b"b")
    book = FakeTable(refused={"a", "b"})
    with Staging(tmp_path) as staging:
        fates = staging.commit(rows("a", "b", "c"), stage(staging, "a", "b", "c"), book)
    assert fates == ["id taken", "id taken", "recorded"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "c"]


def test_a_name_that_the_file_system_refuses_costs_that_file_alone(tmp_path):
    book = FakeTable()
    with Staging(tmp_path) as staging:
        fates = staging.commit(rows("a", "b" * 300, "c"), stage(staging, "a", "b" * 300, "c"), book)
    assert fates == ["recorded", "name refused", "recorded"]
    assert book.committed == ["a", "c"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "c"]


def test_an_error_that_may_pass_ends_the_run_and_leaves_it_to_the_next(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("homing.archive.ingest.staging.publish", full)
        with pytest.raises(OSError, match="No space"), Staging(tmp_path, "us") as staging:
            staging.commit(rows("a"), stage(staging, "a"), FakeTable())
    book = FakeTable()
    assert recover(tmp_path, "us", book) == 1
    assert book.committed == ["a"]
    assert (tmp_path / "a").read_bytes() == b"a"


@pytest.mark.parametrize("links", [True, False], ids=["by a link", "by moving"])
def test_a_row_refused_after_a_crash_leaves_no_file(tmp_path, monkeypatch, links):
    def refused(*arguments, **options):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if not links:
        monkeypatch.setattr(os, "link", refused)
    (tmp_path / "b").write_bytes(b"b")  # a file of the user, by chance the same
    die_in_commit(tmp_path, "a", "b", "c")
    book = FakeTable(refused={"a", "b"})
    assert recover(tmp_path, "us", book) == 1
    assert book.committed == ["c"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "c"]


def test_what_a_run_left_unfinished_is_finished(tmp_path):
    die_in_commit(tmp_path, "a", "b")
    assert len(stagings(tmp_path)) == 1
    book = FakeTable()
    assert recover(tmp_path, "us", book) == 2
    assert book.committed == ["a", "b"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
    assert recover(tmp_path, "us", book) == 0


def test_an_unfinished_run_of_another_archive_is_left_to_it(tmp_path):
    die_in_commit(tmp_path, "a", owner="them")
    ours, theirs = FakeTable(), FakeTable()
    assert recover(tmp_path, "us", ours) == 0
    clear(tmp_path)
    assert ours.committed == []
    assert recover(tmp_path, "them", theirs) == 1
    assert theirs.committed == ["a"]
    assert stagings(tmp_path) == []


def test_recovery_may_die_itself(tmp_path):
    die_in_commit(tmp_path, "a", "b")

    def died(table: pa.Table) -> set[str]:
        raise DiedError

    with pytest.raises(DiedError):
        recover(tmp_path, "us", died)
    book = FakeTable()
    assert recover(tmp_path, "us", book) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_recovery_overwrites_nothing_that_has_come_meanwhile(tmp_path):
    die_in_commit(tmp_path, "a", "b")
    (tmp_path / "a").unlink()
    (tmp_path / "a").write_bytes(b"another")
    book = FakeTable()
    assert recover(tmp_path, "us", book) == 1
    assert book.committed == ["b"]
    assert (tmp_path / "a").read_bytes() == b"another"


def test_a_run_alive_is_left_alone(tmp_path):
    with Staging(tmp_path, "us") as staging:
        (file,) = stage(staging, "a")
        recover(tmp_path, "us", FakeTable())
        clear(tmp_path)
        assert (staging.folder / file.name).read_bytes() == b"a"
    assert stagings(tmp_path) == []


@pytest.mark.parametrize("left", [[], ["lock"], ["lock", "0", "17"], ["0", "journal.arrow.new"]])
def test_what_died_before_it_had_named_anything_is_removed(tmp_path, left):
    folder = tmp_path / (STAGING_PREFIX + "abc")
    folder.mkdir()
    for name in left:
        (folder / name).write_bytes(b"x")
    book = FakeTable()
    assert recover(tmp_path, "us", book) == 0
    assert not folder.exists()
    assert book.committed == []


def test_a_folder_that_only_has_such_a_name_is_left_alone(tmp_path):
    mine = tmp_path / (STAGING_PREFIX + "cache")
    (mine / "models").mkdir(parents=True)
    (tmp_path / (STAGING_PREFIX + "file")).write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / (STAGING_PREFIX + "link")).symlink_to(elsewhere)
    recover(tmp_path, "us", FakeTable())
    clear(tmp_path)
    assert len(stagings(tmp_path)) == 3
    assert (mine / "models").is_dir()
    assert list(elsewhere.iterdir()) == []


def test_a_damaged_journal_is_named(tmp_path):
    die_in_commit(tmp_path, "a")
    (journal,) = tmp_path.glob(STAGING_PREFIX + "*/journal.arrow")
    journal.write_bytes(journal.read_bytes()[:60])
    with pytest.raises(homing.ArchiveError, match=r"journal\.arrow.*is damaged"):
        recover(tmp_path, "us", FakeTable())


def test_every_flipped_bit_of_a_journal_is_named(tmp_path):
    die_in_commit(tmp_path, "a")
    (journal,) = tmp_path.glob(STAGING_PREFIX + "*/journal.arrow")
    assert list(damaged_journals(tmp_path)) == []
    data = journal.read_bytes()
    last = 8 * len(data) - 8 * 48  # from here on its checksum
    for bit in [*random.Random(0).sample(range(last), 100), *range(last, 8 * len(data), 5)]:
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        journal.write_bytes(flipped)
        (problem,) = damaged_journals(tmp_path)
        assert f"{journal}, left by a run that died, is damaged" in problem
    with pytest.raises(homing.ArchiveError, match="is damaged"):
        recover(tmp_path, "us", FakeTable())


def test_a_journal_of_an_earlier_version_is_completed(tmp_path):
    die_in_commit(tmp_path, "a")
    (journal,) = tmp_path.glob(STAGING_PREFIX + "*/journal.arrow")
    journal.write_bytes(journal.read_bytes()[:-40])  # without its checksum
    assert list(damaged_journals(tmp_path)) == []
    assert recover(tmp_path, "us", FakeTable()) == 1


def test_an_interrupted_run_without_a_commit_under_way_leaves_nothing(tmp_path):
    def interrupted():
        with Staging(tmp_path) as staging:
            stage(staging, "a", "b")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_hard_links(tmp_path, monkeypatch, code):
    def refused(*arguments, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refused)
    (tmp_path / "b").write_bytes(b"another")
    book = FakeTable()
    with Staging(tmp_path, "us") as staging:
        fates = staging.commit(rows("a", "b"), stage(staging, "a", "b"), book)
    assert fates == ["recorded", "name taken"]
    assert (tmp_path / "b").read_bytes() == b"another"
    die_in_commit(tmp_path, "c")
    assert recover(tmp_path, "us", book) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b", "c"]
    assert book.committed == ["a", "c"]
