"""Entries a page at a time, in the order of their ids."""

import pyarrow as pa
import pyarrow.compute as pc

from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.errors import UsageError


def page_of(
    table: Table, *, prefix: str, state: str | None, after: str | None, limit: int
) -> list[Row]:
    """Return the rows of the `limit` least ids that are wanted; one scan of two small columns.

    Parameters
    ----------
    table : Table
    prefix : str
        Of the ids wanted.
    state : {"released", "added"} or None
        None: both.
    after : str or None
        Ids up to this one are left out.
    limit : int
        At least 1.
    """
    if limit < 1:
        raise UsageError(f"a page has at least 1 entry, not {limit}")
    least = pa.array([], pa.string())
    for batch in table.batches(["id", "state"]):
        ids = batch.column("id")
        wanted = pc.starts_with(ids, prefix)
        if state is not None:
            wanted = pc.and_(wanted, pc.equal(batch.column("state"), state))
        if after is not None:
            wanted = pc.and_(wanted, pc.greater(ids, after))
        both = pa.concat_arrays([least, ids.filter(wanted)])
        least = both.take(pc.sort_indices(both)[:limit])
    if not len(least):
        return []
    rows = {row.id: row for row in table.rows(ids=least.to_pylist())}
    return [rows[id] for id in least.to_pylist() if id in rows]  # noqa: A001 - the column's name
