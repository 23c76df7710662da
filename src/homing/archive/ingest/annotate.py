"""Annotate: captions and other metadata of entries that are recorded already."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from os import PathLike as OsPath
from pathlib import Path
from typing import Any

from homing.archive.inputs import gather_inputs
from homing.archive.manifest import metadata_problem
from homing.archive.query.manifests import ENDPOINT, MANIFEST
from homing.archive.results import Outcome
from homing.archive.table.table import Table
from homing.errors import UsageError
from homing.images.limits import shown
from homing.options import PathLike

_COMMIT = 1024  # entries changed together


@dataclass(frozen=True)
class Annotation:
    """Fields of one entry's metadata."""

    source: str  # the picture as listed, or the id
    id: str
    fields: Mapping[str, Any]  # those to be removed as None
    path: str | None = None  # as listed: the id of a picture recorded without a list


def as_annotations(
    metadata: PathLike | Mapping[str, Mapping[str, Any]], folder: Path | None
) -> list[Annotation]:
    """Return the annotations of a list of pictures, or of fields by id.

    UsageError if the list cannot be read, or fields cannot be recorded.
    """
    if isinstance(metadata, str | OsPath):
        inputs = gather_inputs([] if folder is None else [folder], Path(metadata))
        found = [
            Annotation(shown(i.path), i.written, i.metadata or {}, shown(i.destination))
            for i in inputs
        ]
        if not any(each.fields for each in found):
            raise UsageError(f"{shown(metadata)!r} has no values beside paths and ids")
    else:
        found = [Annotation(name, shown(name), fields) for name, fields in metadata.items()]
    for each in found:
        if wrong := metadata_problem(each.fields):
            raise UsageError(f"{each.id!r}: {wrong}")
        if own := {MANIFEST, ENDPOINT} & each.fields.keys():
            raise UsageError(f"{each.id!r}: homing sets {sorted(own)} itself when it signs a file")
    return found


def annotate(
    table: Table, given: Sequence[Annotation], worked: Callable[[], None]
) -> Generator[Outcome, None, None]:
    """Change entries in order; an outcome comes once its entry is recorded.

    `worked` is called for each.
    """
    if isinstance(table.path, Path):  # what an object store holds it checks itself
        table.refuse_damaged()  # rows are written anew
    rest = iter(given)
    while chunk := list(islice(rest, _COMMIT)):
        start = time.perf_counter()
        changed = table.merge_metadata({each.id: each.fields for each in chunk if each.fields})
        others = [e.path for e in chunk if e.fields and e.path and e.id not in changed]
        known = table.lookup(others, [])
        seconds = (time.perf_counter() - start) / len(chunk)
        for each in chunk:
            status, reason = _fate(each, changed.get(each.id), each.path in known)
            worked()
            yield Outcome(
                source=each.source, status=status, id=each.id, reason=reason, seconds=seconds
            )


def _fate(given: Annotation, changed: bool | None, by_path: bool) -> tuple[str, str | None]:
    """Return the status of an annotation, and the reason if it was not recorded."""
    if not given.fields:
        return "skipped", "nothing is given beside its path and id"
    if changed is None:
        hint = f", but {given.path!r} is one: leave out the column 'id'" if by_path else ""
        return "failed", f"no entry has the id {given.id!r}{hint}"
    return ("annotated", None) if changed else ("skipped", "the entry has all of it already")
