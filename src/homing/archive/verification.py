"""Verification and statistics of an archive: table, codebooks and all other files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from homing.archive.codebooks import list_generations
from homing.archive.decisions.decisions import Decisions
from homing.archive.ingest.staging import damaged_journals
from homing.archive.previews.check import PreviewCheck
from homing.archive.previews.recognition import CHANGED, Recognition
from homing.archive.previews.upkeep import PreviewCounts, count_previews
from homing.archive.query.calibration import read_calibration
from homing.archive.results import Problem, Verification
from homing.archive.settings import COPY, SETTINGS, ArchiveSettings, copy_is_wrong
from homing.archive.table.addresses import stored_bytes
from homing.archive.table.checksums import Checksums, DamagedFile, tracked_files
from homing.archive.table.commit import vector_problems
from homing.archive.table.index.segments import read_coverages
from homing.archive.table.location import Location, resolve_place
from homing.archive.table.places import places_of
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.archive.table.versions import REPAIR, translate_errors
from homing.codebooks.codebook import Codebook
from homing.errors import ArchiveError
from homing.files.durable import file_sha256
from homing.images.limits import shown

_BATCH = 4096


@dataclass(frozen=True)
class ArchiveParts:
    """The parts of an archive that are verified together."""

    path: Location
    settings: ArchiveSettings
    table: Table
    codebooks: Sequence[Codebook]
    recognition: Recognition
    decisions: Decisions


def verify(
    parts: ArchiveParts, *, files: bool = True, progress: Callable[[int], None] | None = None
) -> Verification:
    """Check every row against its generation's codebook, and what an archive has beside the rows.

    With `files` all files are read and compared with their checksums: those of the table, released
    ones, packs of previews. `progress` is called with the number of rows checked since the last
    call.
    """
    table = parts.table
    damaged = list(table.checksums.damaged()) if files else []
    problems = _named(parts.path, damaged)
    problems += _check_newest(table)
    unrecorded = 0
    if files:
        lost, unrecorded = _check_presence(table)
        problems += lost
    entries = _EntryCheck(parts, files=files)
    found: list[Problem] = []

    def check() -> None:
        entries.begin()
        found.clear()
        for rows in _batches(table):
            found.extend(entries.problems(rows))
            if progress is not None:
                progress(len(rows))
        if not _are_damaged(damaged, "_indices"):
            found.extend(_check_index(parts))

    if _are_damaged(damaged, "_deletions"):
        problems.append(Problem(None, "no entries are checked: which are removed is damaged"))
    else:
        try:
            table.retry(check)  # another process may compact meanwhile
        except Exception as error:  # noqa: BLE001 - damaged files may give any values
            found.append(Problem(None, f"not all entries can be checked: {error}; {REPAIR}"))
    problems += found
    problems += (Problem(None, text) for out in entries.outputs for text in damaged_journals(out))
    problems += parts.decisions.check()
    if files and copy_is_wrong(parts.path, parts.settings):
        problems.append(Problem(None, f"{COPY} differs from {SETTINGS}; 'homing repair' renews it"))
    try:
        read_calibration(parts.path, parts.settings)
    except ArchiveError as error:
        problems.append(Problem(None, str(error)))
    return Verification(
        entries.count,
        entries.files,
        tuple(problems),
        entries.previews.checked,
        parts.decisions.count(),
        unrecorded,
    )


def check_files(archive: Location, table: Location) -> list[Problem]:
    """Compare the files of a table with their checksums, whether or not it can be opened."""
    return _named(archive, Checksums(table).damaged())


def _named(archive: Location, damaged: Iterable[DamagedFile]) -> list[Problem]:
    return [Problem(None, f"{shown(str(archive))}/{each}") for each in damaged]


def _are_damaged(damaged: Iterable[DamagedFile], folder: str) -> bool:
    """Return whether files in a folder of the table are.

    Lance does not look: it may end the process for lack of the memory that such a file asks for.
    """
    return any(f"/{folder}/" in each.path for each in damaged)


def _check_newest(table: Table) -> Iterator[Problem]:
    recorded = table.checksums.newest()  # read first: others may be committed at any time
    with translate_errors(table.path):
        newest = int(table.dataset.latest_version)
    if newest < recorded:
        yield Problem(
            None,
            f"version {recorded} was recorded and is lost: the newest is {newest}, without what "
            "came after it; put the archive back from a backup, or release and add again",
        )


def _check_presence(table: Table) -> tuple[list[Problem], int]:
    """Name files that the version in view lacks; count those without a checksum."""
    try:
        with translate_errors(table.path):
            needed = tracked_files(table.dataset, table.version)
            missing = [path for path in needed if not table.checksums.exists(path)]
            tracked = tracked_files(table.dataset, table.version)  # others may compact meanwhile
    except ArchiveError as error:  # a damaged manifest
        return [Problem(None, f"not all of its files are known: {error}")], 0
    places = [f"{shown(str(table.path))}/{path}" for path in missing if path in tracked]
    problems = [
        Problem(None, f"{each} is lost; put it back from a backup, or: {REPAIR}") for each in places
    ]
    return problems, len(table.checksums.unrecorded(tracked))


def _check_index(parts: ArchiveParts) -> Iterator[Problem]:
    if not all(each.is_sound for each in read_coverages(parts.table, parts.codebooks)):
        message = "the index is not this archive's; run 'homing index' to replace it"
        yield Problem(None, message)


class _EntryCheck:
    """Check of rows, their previews and, with `files`, their released files."""

    def __init__(self, parts: ArchiveParts, *, files: bool) -> None:
        self._parts = parts
        self._read = files
        self.begin()

    def begin(self) -> None:
        """Begin anew, before the first row."""
        self.count = self.files = 0
        self.outputs: set[Path] = set()  # folders that files were released to
        self.previews = PreviewCheck(self._parts.recognition.store, read=self._read)
        self._seen: set[str] = set()

    def problems(self, rows: list[Row]) -> Iterator[Problem]:
        self.count += len(rows)
        yield from _check_ids(rows, self._seen)
        for number, codebook in enumerate(self._parts.codebooks, start=1):
            own = [row for row in rows if row.generation == number]
            yield from _check_codes(own, codebook, self._parts.table.places)
        yield from self.previews.problems(rows)
        if self._read:
            for row in (row for row in rows if row.file is not None):
                self.files += 1
                yield from _check_file(row, self._parts.path, self._parts.recognition)
                self.outputs |= _outputs(row, self._parts.path)


def _outputs(row: Row, archive: Location) -> set[Path]:
    """Return the folders that a row's file may have been released to: its id is a path in one."""
    assert row.file is not None
    file = resolve_place(row.file, archive)
    return set(file.parents[: len(Path(row.id).parts)])


def _batches(table: Table) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in table.rows(with_vectors=True):
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _check_ids(rows: list[Row], seen: set[str]) -> Iterator[Problem]:
    for row in rows:
        if row.id in seen:
            yield Problem(row.id, "the id stands twice")
        seen.add(row.id)


def _check_codes(rows: list[Row], codebook: Codebook, most: int) -> Iterator[Problem]:
    if not rows:
        return
    vectors = np.stack([row.vector for row in rows if row.vector is not None]).astype(np.float32)
    cells, codes = [row.cell for row in rows], [row.code for row in rows]
    reasons = vector_problems(codebook, vectors, cells, codes)
    right = np.array([reason is None for reason in reasons])
    released = [row.state == "released" for row in rows]
    further = places_of(codebook, np.where(right[:, None], vectors, 0), released, most)
    for row, reason, places in zip(rows, reasons, further, strict=True):
        if reason is None and row.places != places:
            reason = "its further places are not the codebook's for its vector"  # noqa: PLW2901
        if reason:
            yield Problem(row.id, reason)


def _check_file(row: Row, archive: Location, recognition: Recognition) -> Iterator[Problem]:
    assert row.file is not None
    path = resolve_place(row.file, archive)
    try:
        digest = file_sha256(path)
    except OSError as error:
        again = "copy it back, or release its source again with the same command"
        yield Problem(row.id, f"its file {path} cannot be read ({error.strerror}): {again}")
        return
    if digest == row.file_sha256:
        return
    if recognition.recognises(path, vars(row)):
        again = "record it as it is now with 'homing add'"
        yield Problem(row.id, f"its file {path} was {CHANGED}: {again}")
    else:
        yield Problem(row.id, f"its file {path} is not the one released (SHA-256 differs)")


def statistics(
    table: Table, settings: ArchiveSettings, codebooks: Sequence[Codebook], path: Location
) -> dict[str, Any]:
    """Count entries, cells and bytes, with stable keys; one scan of four small columns.

    ``codebook`` and ``codebook_fingerprint`` are the newest generation's; several generations are
    listed under ``generations``.
    """
    counts = [codebook.cell_count for codebook in codebooks]
    released, added, decibels = _occupancies(table, sum(counts))
    occupancy = released + added
    each = np.split(occupancy, np.cumsum(counts)[:-1])
    entries = [int(own.sum()) for own in each]
    further = [
        int(own.sum()) * (min(table.places, count) - 1)
        for own, count in zip(np.split(released, np.cumsum(counts)[:-1]), counts, strict=True)
    ]
    coverages = read_coverages(table, codebooks)
    unindexed = [coverage.unindexed_rows for coverage in coverages]
    kinds = [coverage.form.codes if coverage.segments else None for coverage in coverages]
    generations = list_generations(table, settings)
    small = count_previews(table)
    values: dict[str, Any] = {
        "archive": str(path),
        "entries": sum(entries),
        "released": int(released.sum()),
        "added": int(added.sum()),
        "descriptor": settings.descriptor,
        "codebook": generations[-1].codebook,
        "codebook_fingerprint": generations[-1].fingerprint,
        "expect": settings.expect,
        "cells": len(occupancy),
        "cells_used": int(np.count_nonzero(occupancy)),
        "fullest_cell": int(occupancy.max(initial=0)),
        "psnr_mean": round(float(np.mean(decibels)), 3) if decibels else None,
        "psnr_least": round(min(decibels), 3) if decibels else None,
        "places": table.places,
        "further_places": sum(further),
        "indexed": sum(entries) - sum(unindexed),
        "index_codes": kinds[-1],
        "previews": small.previews,
        "bytes_on_disk": _bytes(table, path, small),
        "bytes_of_previews": small.bytes_of_previews,
        "bytes_of_codes": sum(
            (own + more) * (codebook.code_size + 8)
            for own, more, codebook in zip(entries, further, codebooks, strict=True)
        ),
        "version": table.version,
        "created_at": settings.created_at,
        "created_by": settings.created_by,
    }
    if len(generations) > 1:
        values["generations"] = [
            generation.as_dict()
            | {
                "entries": entries[number],
                "cells": counts[number],
                "cells_used": int(np.count_nonzero(each[number])),
                "fullest_cell": int(each[number].max(initial=0)),
                "indexed": entries[number] - unindexed[number],
                "index_codes": kinds[number],
            }
            for number, generation in enumerate(generations)
        ]
    return values


def _occupancies(
    table: Table, cells: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[float]]:
    """Count released and added entries in each cell, and list the decibels of all."""
    released, added = np.zeros((2, cells), dtype=np.int64)
    decibels: list[float] = []
    for batch in table.batches(["state", "cell", "psnr"]):
        is_released = pc.equal(batch.column("state"), "released").to_numpy(zero_copy_only=False)
        there = batch.column("cell").to_numpy()
        released += np.bincount(there[is_released], minlength=cells)
        added += np.bincount(there[~is_released], minlength=cells)
        decibels += batch.column("psnr").drop_null().to_pylist()
    return released, added, decibels


def _bytes(table: Table, path: Location, small: PreviewCounts) -> int:
    """Sum the bytes of all files; in an object store only those of the version in view."""
    if not isinstance(path, Path):
        return stored_bytes(table) + small.bytes_of_previews
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
