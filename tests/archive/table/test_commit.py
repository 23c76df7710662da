"""Commits of rows, alone and while others write: no row becomes another picture's."""

import time

import pyarrow as pa
import pytest

import homing
from homing.archive.table.commit import commit_rows
from homing.archive.table.table import Table
from tests.helpers import ROOT
from tests.helpers.archive import child, completed, released, row


def test_a_released_row_replaces_the_added_one_of_its_picture(table):
    commit_rows(table, table.to_arrow([row("a"), row("b", 2)]))
    assert commit_rows(table, table.to_arrow([released("a")])) == set()
    assert [(r.id, r.state) for r in sorted(table.rows(), key=lambda r: r.id)] == [
        ("a", "released"),
        ("b", "added"),
    ]


def test_an_added_row_never_replaces_a_released_one(table):
    commit_rows(table, table.to_arrow([released("a")]))
    version = table.version
    assert commit_rows(table, table.to_arrow([row("a")])) == set()
    assert [r.state for r in table.rows()] == ["released"]
    assert table.version == version


def test_the_same_rows_again_write_nothing(table):
    rows = table.to_arrow([released("a"), row("b", 2)])
    commit_rows(table, rows)
    version = table.version
    assert commit_rows(table, rows) == set()
    assert table.version == version


def test_another_picture_under_a_taken_id_is_left_out(table):
    commit_rows(table, table.to_arrow([released("a")]))
    for other in (row("a", 2), released("a", 2)):
        assert commit_rows(table, table.to_arrow([other, row("c", 3)])) == {"a"}
    assert {r.id: r.source_sha256[0] for r in table.rows()} == {"a": 1, "c": 3}


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        (row("a"), released("a"), "released"),  # another adds what is being released
        (released("a"), row("a"), "released"),  # another releases what is being added
        (row("a", 2), released("a"), "added"),  # another adds another picture
    ],
)
def test_another_writes_between_reading_and_writing(table, monkeypatch, first, second, state):
    other = Table.open(table.path)
    insert = Table.insert

    def overtaken(self, table):
        monkeypatch.undo()
        insert(other, other.to_arrow([first]))
        return insert(self, table)

    monkeypatch.setattr(Table, "insert", overtaken)
    refused = commit_rows(table, table.to_arrow([second, row("c", 3)]))
    assert refused == ({"a"} if first.source_sha256 != second.source_sha256 else set())
    states = {r.id: r.state for r in table.rows()}
    assert states == {"a": state, "c": "added"}


def test_another_removes_a_row_just_inserted(table, monkeypatch):
    other = Table.open(table.path)
    insert = Table.insert

    def undone(self, table):
        inserted = insert(self, table)
        other.refresh()
        other.delete(["a"])
        self.refresh()
        return inserted

    monkeypatch.setattr(Table, "insert", undone)
    assert commit_rows(table, table.to_arrow([released("a"), row("b", 2)])) == set()
    assert [r.id for r in Table.open(table.path).rows()] == ["b"]


EACH = 20_000


SHARED = 2_000  # rows that both of them add


#: Adds made-up rows in commits as large as those of `add`, from a given number on.
WRITER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import homing
from tests.helpers.archive import write
from tests.helpers.vectors import unit_vectors
archive = homing.open({archive!r})
Path({ready!r}).touch()
while not Path({signal!r}).exists():
    time.sleep(0.002)
for start in range({first}, {first} + {count}, 512):
    count = min(512, {first} + {count} - start)
    names = [f"{{number:06}}" for number in range(start, start + count)]
    write(archive._table, archive.codebook, names, unit_vectors(count, start))
sys.exit()
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_writers_add_twenty_thousand_rows_each(archive, tmp_path):
    """No row is lost or doubled, also of those that both of them add."""
    signal, writers = tmp_path / "signal", []
    fill = {"tests": str(ROOT), "archive": str(archive.path), "count": EACH}
    ready = [tmp_path / "ready-0", tmp_path / "ready-1"]
    for mark, first in zip(ready, (0, EACH - SHARED), strict=True):
        before = WRITER.format(first=first, ready=str(mark), signal=str(signal), **fill)
        writers.append(child([], before=before))
    while not all(mark.exists() for mark in ready):
        assert all(writer.poll() is None for writer in writers)
        time.sleep(0.01)
    signal.touch()
    for writer in writers:
        status, _, err = completed(writer, timeout=800)
        assert status == 0, err
    opened = homing.open(archive.path)
    ids = pa.concat_arrays(batch.column("id") for batch in opened._table.batches(["id"]))
    assert sorted(ids.to_pylist()) == [f"{number:06}" for number in range(2 * EACH - SHARED)]
    assert opened.verify(files=False).clean
