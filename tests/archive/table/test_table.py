"""The rows themselves: any text is an id, and no writer's row becomes another picture's."""

import datetime
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lance.optimize import Compaction

import homing
from homing.archive.table.commit import commit_rows
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from tests.helpers.archive import unit_vectors

NOW = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)


def row(name: str, source: int = 1, **changes) -> Row:
    made = Row(
        id=name,
        state="added",
        source_sha256=bytes([source]) * 32,
        file_sha256=bytes([source]) * 32,
        file=None,
        width=3,
        height=2,
        psnr=None,
        created_at=NOW,
        vector=unit_vectors(1, source)[0].astype(np.float16),
        cell=source % 8,
        code=bytes([source]) * 8,
        metadata=None,
    )
    return replace(made, **changes)


def released(name: str, source: int = 1, file: str = "../out/x", **changes) -> Row:
    changes = {"psnr": 42.5, "file_sha256": b"f" * 32} | changes
    return row(name, source, state="released", file=file, **changes)


@pytest.fixture
def table(tmp_path) -> Table:
    return Table.create(tmp_path / "record", dimension=192, code_size=8)


def same(one: Row, other: Row) -> bool:
    vectors = np.array_equal(one.vector, other.vector)
    return vectors and replace(one, vector=None) == replace(other, vector=None)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.sets(texts, min_size=1, max_size=5), metadata=st.dictionaries(texts, texts))
def test_any_text_is_an_id(tmp_path_factory, names, metadata):
    table = Table.create(tmp_path_factory.mktemp("r") / "r", dimension=192, code_size=8)
    rows = [row(name, n + 1, metadata=metadata or None) for n, name in enumerate(sorted(names))]
    assert commit_rows(table, table.to_arrow(rows)) == set()
    back = list(table.rows(with_vectors=True))
    assert all(same(a, b) for a, b in zip(rows, back, strict=True))
    for wanted in rows:
        assert table.lookup([wanted.id], ["cell"]) == {
            wanted.id: {"id": wanted.id, "cell": wanted.cell}
        }
    table.delete([rows[0].id])
    assert [r.id for r in table.rows()] == [r.id for r in rows[1:]]


@pytest.mark.parametrize("name", ["' OR '1'='1", "x'); --", "\\'", "%", "\0", "a\0b", "\n", "''"])
def test_ids_are_never_read_as_conditions(table, name):
    commit_rows(table, table.to_arrow([row("other"), row(name, 2)]))
    assert list(table.lookup([name], [])) == [name]
    table.delete([name])
    assert [r.id for r in table.rows()] == ["other"]
    table.delete([name])
    assert len(table) == 1


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
    ("first", "second", "kept"),
    [
        (row("a"), released("a"), "released"),  # somebody adds what is being released
        (released("a"), row("a"), "released"),  # somebody releases what is being added
        (row("a", 2), released("a"), "added"),  # somebody adds another picture
    ],
)
def test_whoever_comes_in_between_looking_and_writing(table, monkeypatch, first, second, kept):
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
    assert states == {"a": kept, "c": "added"}


def test_whoever_removes_a_row_just_inserted(table, monkeypatch):
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
    """Else a compaction in flight brings back what was removed since it began."""
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
