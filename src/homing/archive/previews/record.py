"""Rows recorded with their previews: the pack first, then the rows that name its parts."""

from collections.abc import Sequence

import pyarrow as pa

from homing.archive.previews.store import PreviewStore
from homing.archive.results import Problem
from homing.archive.table.commit import commit_rows
from homing.archive.table.rows import PREVIEW
from homing.archive.table.table import Table

CARRIED = pa.field(PREVIEW.name, pa.binary())
"""Column of rows that carry their previews."""


def carry(rows: pa.Table, previews: Sequence[bytes | None]) -> pa.Table:
    """Return rows that carry their previews themselves, in place of references.

    So they are until they are recorded: in the journal of a release, in an exported file.
    """
    return _with(rows, CARRIED, previews)


def record_rows(table: Table, store: PreviewStore, rows: pa.Table) -> set[str]:
    """Record rows that may carry their previews; see :func:`commit_rows`."""
    with table.hold_versions():
        return commit_rows(table, _stored(table, store, rows))


def record_new_rows(
    table: Table, store: PreviewStore, rows: pa.Table
) -> tuple[int, int, list[Problem]]:
    """Record rows; returns the counts of new and of existing ones, and the rows refused."""
    if not rows.num_rows:
        return 0, 0, []
    ids = rows.column("id").to_pylist()
    before = table.lookup(ids, ["state"])
    refused = record_rows(table, store, rows)
    states = dict(zip(ids, rows.column("state").to_pylist(), strict=True))
    existing = [
        name
        for name in ids
        if name not in refused
        and name in before
        and not (states[name] == "released" and before[name]["state"] == "added")
    ]
    reason = "the id is taken by another picture; remove that entry first"
    problems = [Problem(name, reason) for name in ids if name in refused]
    return len(ids) - len(refused) - len(existing), len(existing), problems


def _stored(table: Table, store: PreviewStore, rows: pa.Table) -> pa.Table:
    """Write the previews that rows carry; return the rows with references to them."""
    carries = PREVIEW.name in rows.schema.names and store.side > 0
    column = rows.column(PREVIEW.name) if carries else pa.nulls(rows.num_rows, pa.binary())
    previews: list[bytes | None] = column.to_pylist()
    there = [preview for preview in previews if preview is not None]
    table.refresh()
    if there and not table.has_previews:
        table.add_column(PREVIEW)
    if not table.has_previews:
        return rows.drop_columns([PREVIEW.name]) if carries else rows
    references = iter(store.write(there))
    named = [None if preview is None else next(references) for preview in previews]
    return _with(rows, PREVIEW, named)


def _with(rows: pa.Table, field: pa.Field, values: Sequence[object]) -> pa.Table:
    column = pa.array(values, field.type)
    if field.name in rows.schema.names:
        return rows.set_column(rows.schema.get_field_index(field.name), field, column)
    return rows.append_column(field, column)
