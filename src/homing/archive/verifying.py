"""Verification: whether the record, the codebook and the released files agree."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from homing.archive.places import resolve_place
from homing.archive.record import Record
from homing.archive.results import Problem, Verification
from homing.archive.rows import Row
from homing.archive.stores import Place
from homing.codebooks import Codebook
from homing.files.durable import file_sha256

_BATCH = 4096
_UNIT_TOLERANCE = 2e-3  # rounding to half precision moves a unit vector's length by less


def verify(
    record: Record,
    codebooks: Sequence[Codebook],
    archive: Place,
    *,
    files: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Check every row against its codebook and, where asked, against its released file.

    Parameters
    ----------
    record, codebooks, archive
        What is verified, with the codebooks of its generations; `archive` is the folder that
        recorded places are relative to.
    files : bool
        Whether released files are read and their checksums compared.
    progress : callable
        Called with the number of rows checked since the last call.
    """
    problems: list[Problem] = []
    seen: set[str] = set()
    entries = checked = 0
    for rows in _batches(record):
        entries += len(rows)
        problems += _check_ids(rows, seen)
        for number, codebook in enumerate(codebooks, start=1):
            problems += _check_codes([r for r in rows if r.generation == number], codebook)
        if files:
            released = [row for row in rows if row.file is not None]
            checked += len(released)
            problems += (p for row in released for p in _check_file(row, archive))
        if progress is not None:
            progress(len(rows))
    return Verification(entries=entries, files=checked, problems=tuple(problems))


def _batches(record: Record) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in record.rows(with_vectors=True):
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


def _check_codes(rows: list[Row], codebook: Codebook) -> Iterator[Problem]:
    if not rows:
        return
    vectors = np.stack([row.vector for row in rows if row.vector is not None]).astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1)
    sound = np.isfinite(lengths) & (np.abs(lengths - 1) < _UNIT_TOLERANCE)
    cells, codes = codebook.encode_with_cells(np.where(sound[:, None], vectors, 0))
    for row, good, cell, code in zip(rows, sound, cells, codes, strict=True):
        if not good:
            yield Problem(row.id, "its vector is not a unit vector")
        elif row.cell != int(cell) or row.code != code.tobytes():
            yield Problem(row.id, "its cell and code are not the codebook's for its vector")


def _check_file(row: Row, archive: Place) -> Iterator[Problem]:
    assert row.file is not None
    path = resolve_place(row.file, archive)
    try:
        digest = file_sha256(path)
    except OSError as error:
        yield Problem(row.id, f"its file {path} cannot be read: {error.strerror}")
        return
    if digest != row.file_sha256:
        yield Problem(row.id, f"its file {path} is not the one released (SHA-256 differs)")
