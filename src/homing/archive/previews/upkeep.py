"""Upkeep of previews: packs that no version refers to, and counts."""

import datetime
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from homing.archive.previews.store import PreviewStore, written_at
from homing.archive.table.addresses import fragment_files
from homing.archive.table.rows import PREVIEW
from homing.archive.table.table import Table


@dataclass(frozen=True)
class PreviewCounts:
    """Previews of a version's rows, and the bytes that they take."""

    previews: int
    bytes_of_previews: int


def count_previews(table: Table) -> PreviewCounts:
    """Count the previews that the rows in view refer to."""
    count = total = 0
    for column in _references(table):
        lengths = pc.cast(pc.list_element(pc.split_pattern(column, ":"), 2), pa.int64())
        count += len(lengths)
        total += pc.sum(lengths).as_py() or 0
    return PreviewCounts(count, total)


def sweep_packs(table: Table, store: PreviewStore, age: datetime.timedelta) -> tuple[int, int]:
    """Remove the packs that no version refers to and that are older; return how many, and bytes.

    A pack goes once all its entries are removed or have another preview.
    """
    seconds = age.total_seconds()
    old = [n for n in store.packs() if not seconds or time.time() - written_at(n) > seconds]
    kept = _kept_packs(table) if old else set()  # read after the list: no pack is newer than it
    unused = [name for name in old if name not in kept]
    store.remove_parts(seconds)
    return len(unused), sum(store.remove_pack(name) for name in unused)


def _kept_packs(table: Table) -> set[str]:
    """Name the packs that rows of any version refer to.

    Each fragment is read once, in the oldest version: later ones have fewer of its rows.
    """
    packs: set[str] = set()
    seen: set[tuple[int, tuple[str, ...]]] = set()
    for known in table.versions():
        version = table.at(known["version"])
        new = [each for each in fragment_files(version).items() if each not in seen]
        seen.update(new)
        for column in _references(version, [number for number, _ in new]):
            names = pc.list_element(pc.split_pattern(column, ":"), 0)
            packs.update(pc.unique(names).to_pylist())
    return packs


def _references(table: Table, fragments: list[int] | None = None) -> Iterator[pa.Array]:
    """Scan the references of the rows that have a preview."""
    if table.has_previews and fragments != []:
        for batch in table.batches([PREVIEW.name], fragments=fragments):
            yield batch.column(0).drop_null()
