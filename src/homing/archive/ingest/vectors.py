"""Vectors described elsewhere: entries without a picture."""

import datetime
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homing.archive.ids import composed
from homing.archive.manifest import metadata_problem
from homing.archive.previews.record import record_new_rows
from homing.archive.previews.store import PreviewStore
from homing.archive.results import Imported, Problem
from homing.archive.table.commit import quantize
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook
from homing.errors import UsageError

COMMIT = 4096
"""Rows recorded together."""

_UNIT = 1e-3  # difference in length from 1 that is rounding
_LEAST = 1e-12  # length of a vector that has a direction


@dataclass(frozen=True)
class GivenVectors:
    """Some vectors as given: n ids, (n, D) numbers, and what is known of each."""

    ids: Sequence[str]
    vectors: NDArray[Any]
    metadata: Sequence[Mapping[str, Any] | None]


@dataclass
class _Lengths:
    """Lengths of the vectors that were not of unit length."""

    count: int = 0
    least: float = field(default=np.inf)
    most: float = 0.0

    def add(self, lengths: NDArray[np.float64]) -> None:
        self.count += len(lengths)
        self.least = min(self.least, float(lengths.min(initial=np.inf)))
        self.most = max(self.most, float(lengths.max(initial=0)))

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.count:
            return ()
        return (
            f"{self.count} vectors were not of unit length ({self.least:.3g} to {self.most:.3g}) "
            "and have been scaled to it",
        )


def given_vectors(
    ids: Sequence[str],
    vectors: NDArray[Any],
    metadata: Sequence[Mapping[str, Any] | None] | None,
    dimension: int,
) -> Iterator[GivenVectors]:
    """Split vectors into parts of at most `COMMIT`; UsageError if their shapes do not agree."""
    check_shape(vectors, dimension)
    known: Sequence[Mapping[str, Any] | None] = [None] * len(ids) if metadata is None else metadata
    if not len(ids) == len(vectors) == len(known):
        raise UsageError(
            f"each vector has an id, and metadata or None: there are {len(ids)} ids, "
            f"{len(vectors)} vectors and {len(known)} of metadata"
        )
    return _parts(ids, vectors, known)


def _parts(
    ids: Sequence[str], vectors: NDArray[Any], metadata: Sequence[Mapping[str, Any] | None]
) -> Iterator[GivenVectors]:
    for first in range(0, len(ids), COMMIT):
        part = slice(first, first + COMMIT)
        yield GivenVectors(ids[part], vectors[part], metadata[part])


def check_shape(vectors: NDArray[Any], dimension: int) -> None:
    """Refuse arrays that are no vectors of that length."""
    numbers = vectors.dtype.kind == "f"
    if vectors.ndim != 2 or vectors.shape[1] != dimension or not numbers:
        raise UsageError(
            f"the archive takes vectors of {dimension} real numbers, (n, {dimension}); these are "
            f"{vectors.shape} of type {vectors.dtype}: were they made by another descriptor?"
        )


def add_vectors(
    table: Table,
    store: PreviewStore,
    generation: int,
    codebook: Codebook,
    parts: Iterable[GivenVectors],
    progress: Callable[[int], None] | None = None,
) -> Imported:
    """Record vectors, part by part; those that cannot be are named with the reason.

    `codebook`, that of the `generation`, encodes them.
    """
    lengths, seen = _Lengths(), set[str]()
    imported = skipped = 0
    problems: list[Problem] = []
    for part in parts:
        reasons = _reasons(part, seen)
        problems += (Problem(str(part.ids[n]), reason) for n, reason in reasons.items())
        good = [number for number in range(len(part.ids)) if number not in reasons]
        if good:
            unit = _unit(part.vectors[good], lengths)
            rows = _rows(generation, codebook, part, good, unit)
            new, existing, refused = record_new_rows(table, store, table.to_arrow(rows))
            imported, skipped = imported + new, skipped + existing
            problems += refused
        if progress is not None:
            progress(len(part.ids))
    return Imported(imported, skipped, tuple(problems), lengths.notes)


def _reasons(part: GivenVectors, seen: set[str]) -> dict[int, str]:
    """Find what cannot be recorded: positions, with the reason."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(np.asarray(part.vectors, np.float64), axis=1)
    reasons: dict[int, str] = {}
    for number, (name, length) in enumerate(zip(part.ids, lengths.tolist(), strict=True)):
        if not isinstance(name, str) or not name:
            reasons[number] = "its id is no text, or empty"
        elif not _is_text(name):
            reasons[number] = "its id is no Unicode text"
        elif composed(name) in seen:
            reasons[number] = "the id stands twice"
        elif not np.isfinite(length):
            reasons[number] = "its vector holds NaN or infinite values"
        elif length < _LEAST:
            reasons[number] = "its vector is zero"
        elif part.metadata[number] is not None and (
            wrong := metadata_problem(part.metadata[number])
        ):
            reasons[number] = wrong
        if isinstance(name, str):
            seen.add(composed(name))
    return reasons


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unit(vectors: NDArray[Any], lengths: _Lengths) -> NDArray[np.float32]:
    wide = np.asarray(vectors, np.float64)
    each = np.linalg.norm(wide, axis=1)
    lengths.add(each[np.abs(each - 1) > _UNIT])
    return np.asarray(wide / each[:, None], np.float32)


def _rows(
    generation: int,
    codebook: Codebook,
    part: GivenVectors,
    good: Sequence[int],
    vectors: NDArray[np.float32],
) -> list[Row]:
    now = datetime.datetime.now(datetime.UTC)
    stored, cells, codes = quantize(codebook, vectors)
    each = zip(good, stored, map(_digest, stored), cells, codes, strict=True)
    return [
        Row(
            id=composed(part.ids[number]),
            state="added",
            source_sha256=digest,
            file_sha256=digest,
            file=None,
            width=0,
            height=0,
            psnr=None,
            created_at=now,
            vector=vector,
            generation=generation,
            cell=int(cell),
            code=code.tobytes(),
            metadata=part.metadata[number],
        )
        for number, vector, digest, cell, code in each
    ]


def _digest(vector: NDArray[np.float16]) -> bytes:
    """Return what stands for a file's SHA-256: the same vector again is the same entry."""
    return hashlib.sha256(b"homing vector\0" + vector.astype("<f2").tobytes()).digest()
