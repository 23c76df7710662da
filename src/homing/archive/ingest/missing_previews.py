"""Previews of entries that have none: of archives made before, or lost."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from homing.archive.previews.store import PreviewStore
from homing.archive.query.originals import Original, Sources
from homing.archive.results import MadePreviews, Problem
from homing.archive.table.rows import PREVIEW, PreviewReference
from homing.archive.table.table import Table
from homing.errors import PictureError
from homing.images.preview import read_as_preview
from homing.options import Limits

_COMMIT = 256  # previews recorded together

OF_SOURCE = "of its source: the released file was not found"


@dataclass(frozen=True)
class _Made:
    """A preview, or why there is none."""

    id: str
    file_sha256: bytes = b""
    preview: bytes | None = None
    note: str | None = None
    failed: str | None = None


def make_missing(
    table: Table,
    store: PreviewStore,
    sources: Sources,
    *,
    limits: Limits,
    progress: Callable[[int], None] | None,
) -> MadePreviews:
    """Make the previews of rows that have none, or one whose pack is lost, in several commits.

    Rows that another process replaces meanwhile with another file are left to the next run.
    """
    missing, present = _without_preview(table, store)
    if missing:
        table.refuse_damaged()  # the rows are written anew
    made = 0
    problems: list[Problem] = []
    notes: list[Problem] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, len(missing), _COMMIT):
            originals = sources.originals(missing[first : first + _COMMIT])
            each = list(pool.map(partial(_make, side=store.side, limits=limits), originals))
            made += _record(table, store, [one for one in each if one.preview is not None])
            problems += [Problem(one.id, one.failed) for one in each if one.failed is not None]
            notes += [Problem(one.id, one.note) for one in each if one.note is not None]
            if progress is not None:
                progress(len(originals))
    return MadePreviews(made, present, tuple(problems), tuple(notes))


def count_missing(table: Table, store: PreviewStore) -> int:
    """Count the rows that :func:`make_missing` would make previews of."""
    return len(_without_preview(table, store)[0])


def _without_preview(table: Table, store: PreviewStore) -> tuple[list[str], int]:
    """Return the ids of rows without a preview, and the count of those with one.

    Entries that are vectors alone have no width, and no picture.
    """
    packs = set(store.packs())
    missing: list[str] = []
    columns = ["id", PREVIEW.name] if table.has_previews else ["id"]
    pictures = "width > 0"
    count = 0
    for batch in table.batches(columns, condition=pictures):
        ids = batch.column("id").to_pylist()
        texts: Sequence[str | None] = [None] * len(ids)
        if table.has_previews:
            texts = batch.column(PREVIEW.name).to_pylist()
        missing += [name for name, text in zip(ids, texts, strict=True) if not _is_in(text, packs)]
        count += len(ids)
    return missing, count - len(missing)


def _is_in(text: str | None, packs: set[str]) -> bool:
    try:
        return text is not None and PreviewReference.parse(text).pack in packs
    except ValueError:
        return False


def _make(original: Original, side: int, limits: Limits) -> _Made:
    """Make the preview of one entry from its file, of which no more than one is in memory."""
    try:
        found = original.read(limits)
        preview = read_as_preview(found.data, side, limits=limits)
    except PictureError as error:
        return _Made(original.id, failed=str(error))
    note = OF_SOURCE if found.is_source else None
    assert original.file_sha256 is not None  # otherwise there was nothing to read
    return _Made(original.id, original.file_sha256, preview, note)


def _record(table: Table, store: PreviewStore, made: Sequence[_Made]) -> int:
    """Write previews and name them in their rows; return how many rows were still there."""
    previews = [each.preview for each in made if each.preview is not None]
    if not previews:
        return 0
    with table.hold_versions():
        columns = {
            "id": pa.array([each.id for each in made], pa.string()),
            "file_sha256": pa.array([each.file_sha256 for each in made], pa.binary(32)),
            PREVIEW.name: pa.array(store.write(previews), pa.string()),
        }
        schema = pa.schema([table.schema.field(name) for name in ("id", "file_sha256")] + [PREVIEW])
        return table.replace_previews(pa.table(columns, schema=schema))
