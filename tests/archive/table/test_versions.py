"""Versions of a table: those compacted away, and those that a commit still needs."""

import pytest
from lance.optimize import Compaction

import homing
from homing.archive.table.commit import commit_rows
from homing.archive.table.table import Table
from tests.helpers.archive import released, row


def test_a_damaged_record_is_an_error_that_names_it(table):
    commit_rows(table, table.to_arrow([row("a")]))
    for file in (table.path / "data").iterdir():
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(homing.ArchiveError, match=r"table at .*record"):
        list(Table.open(table.path).rows())


def test_a_version_compacted_away_is_left_for_the_newest(table):
    for number in range(4):
        commit_rows(table, table.to_arrow([row(f"r{number}", number + 1)]))
    reader, writer = Table.open(table.path), Table.open(table.path)
    table.compact()
    assert len(reader.lookup(["r0", "r3"], ["cell"])) == 2
    assert commit_rows(writer, writer.to_arrow([released("r0"), row("new", 7)])) == set()
    table.refresh()
    stale, *others = (Table.open(table.path) for _ in range(3))
    table.delete(["r1"])
    table.compact()
    assert sorted(r.id for r in others[0].rows()) == ["new", "r0", "r2", "r3"]
    assert others[1].compact()["files_removed"] == 0
    stale.delete(["r2"])
    stale.insert(stale.to_arrow([row("last", 8)]))
    assert sorted(r.id for r in stale.rows()) == ["last", "new", "r0", "r3"]


def test_no_version_is_forgotten_under_a_commit(table, monkeypatch):
    """Otherwise a compaction under way restores rows that were removed since it began."""
    monkeypatch.setattr("homing.archive.table.versions._PATIENCE", 0.1)
    for number in range(3):
        commit_rows(table, table.to_arrow([row(f"r{number}", number + 1)]))
    other = Table.open(table.path)

    def rewrite_while_another_removes() -> None:
        tasks = Compaction.plan(table.dataset, {"target_rows_per_fragment": 100}).tasks
        done = [task.execute(table.dataset) for task in tasks]
        if not done[0].metrics.files_removed:
            return
        other.delete(["r1"])
        commit_rows(other, other.to_arrow([row("new", 7)]))
        other.compact()
        assert other.versions()[0]["version"] == first
        Compaction.commit(table.dataset, done)

    first = table.versions()[0]["version"]
    with pytest.raises(OSError, match="preempted"):
        table.write(rewrite_while_another_removes)
    table.refresh()
    assert sorted(r.id for r in table.rows()) == ["new", "r0", "r2"]
    other.compact()
    assert len(other.versions()) == 1


def test_compacting_removes_what_killed_writers_have_left(table, monkeypatch):
    monkeypatch.setattr("homing.archive.table.versions._PATIENCE", 0.1)
    for number in range(3):
        commit_rows(table, table.to_arrow([row(f"r{number}", number + 1)]))
    left = [
        "data/0001111001001011011000005ed9334de08fd9dc66717aa000.lance",
        "data/.tmpABCDEF",
        "_deletions/0-3-1063205478176788311.arrow",
        "_indices/aaaaaaaa-2222-4444-8888-000000000000/auxiliary.idx",
        "_transactions/7-6f09b3f3-fe38-448d-ae73-f98beba9d70f.txn",
        "_versions/18446744073709551600.manifest#1",
    ]
    for name in left:
        (table.path / name).parent.mkdir(parents=True, exist_ok=True)
        (table.path / name).write_bytes(b"left")
    with table.hold_versions():
        Table.open(table.path).compact()  # a writer is at work: these may be its
    assert all((table.path / name).exists() for name in left)
    assert table.compact()["bytes_freed"] > 4 * len(left)
    assert not any((table.path / name).exists() for name in left)
    assert not (table.path / "_indices").exists() or not any((table.path / "_indices").iterdir())
    assert sorted(r.id for r in Table.open(table.path).rows()) == ["r0", "r1", "r2"]
