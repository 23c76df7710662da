"""Rows by their ids, which may be any text. Covers Row and schema of rows.py."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homing.archive.table.commit import commit_rows
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from tests.helpers.archive import row


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
