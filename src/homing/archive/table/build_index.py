"""Indexing: the record's index made to cover what has come since.

New fragments become a segment of their own, together with older segments that are no larger, so
that there are few of them however often it is done (as in a log-structured merge tree). A segment
holds so many rows at most that building it takes no more than some hundred megabytes, whatever the
archive's size. Each is committed by itself: a run that dies has lost only the segment in hand, of
which nobody has seen anything.
"""

import itertools
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from homing.archive.table.addresses import has_fragments
from homing.archive.table.index import (
    Coverage,
    add_column,
    build,
    commit,
    coverage,
    drop,
    refuse_missing,
)
from homing.archive.table.location import Location
from homing.archive.table.open_in_worker import reached_record
from homing.archive.table.table import Table
from homing.codebooks import Codebook
from homing.errors import ArchiveError, UsageError
from homing.files.run_folders import abandoned_folders, new_folder
from homing.search.engines.lance import reason_against
from homing.workers.choose import Workforce

_BYTES = 400 << 20  # of memory that building one segment may take
_BYTES_A_ROW = 80  # beside its code: measured with codes of 8 bytes
_ATTEMPTS = 20


@dataclass(frozen=True)
class Indexed:
    """What was done.

    Attributes
    ----------
    entries : int
        Entries of the archive.
    indexed : int
        Those of them that the index covers now.
    added : int
        Those that it had not covered before.
    segments : int
        Parts of the index.
    seconds : float
    """

    entries: int
    indexed: int
    added: int
    segments: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {
            "entries": self.entries,
            "indexed": self.indexed,
            "added": self.added,
            "segments": self.segments,
            "seconds": round(self.seconds, 3),
        }


def refuse_unless_held(codebooks: Sequence[Codebook], archive: object) -> None:
    """Refuse an archive with a codebook that Lance's index cannot hold.

    Raises
    ------
    UsageError
        With the reason.
    """
    for codebook in codebooks:
        reason = reason_against(codebook.factory)
        if reason is not None:
            raise UsageError(
                f"{str(archive)!r} cannot be indexed: {reason}; it is searched with --engine memory"
            )


def index(
    table: Table,
    codebook: Codebook,
    *,
    workforce: Workforce | None = None,
    progress: Callable[[int], None] | None = None,
) -> Indexed:
    """Make the index cover all rows there are now.

    Parameters
    ----------
    table : Table
        Of several generations, the rows of one.
    codebook : Codebook
        Theirs; it must be one that Lance can hold.
    workforce : Workforce or None
        Those who build segments at the same time; None: this process alone.
    progress : callable or None
        Called with the number of rows indexed since the last call.
    """
    workers = 1 if workforce is None else workforce.count
    workers = 1 if workforce is None else workforce.count
    start = time.perf_counter()
    add_column(table, codebook)
    added = 0
    for left in reversed(range(_ATTEMPTS)):
        now = _sound_coverage(table, codebook)
        plan = plan_segments(now, most=_most_rows(codebook), workers=workers)
        try:
            for fragments, segment in built(table, codebook, plan, workforce):
                if not commit(table, codebook, fragments, segment):
                    break  # another process has rewritten or indexed them
                fresh = sum(now.loose.get(number, 0) for number in fragments)
                added += fresh
                if progress is not None:
                    progress(fresh)
            else:
                break  # what others add meanwhile is left to the next run
        except ArchiveError:
            table.refresh()
            if not left or has_fragments(table, itertools.chain(*plan)):
                raise
    now = coverage(table, codebook)
    seconds = time.perf_counter() - start
    return Indexed(now.rows, now.covered, added, len(now.segments), seconds)


def _sound_coverage(table: Table, codebook: Codebook) -> Coverage:
    """What the index covers; one that holds something else than the record is dropped."""
    now = coverage(table, codebook)
    if now.sound:
        return now
    drop(table, codebook)
    return coverage(table, codebook)


def index_all(
    table: Table,
    codebooks: Sequence[Codebook],
    *,
    workforce: Workforce | None = None,
    progress: Callable[[int], None] | None = None,
) -> Indexed:
    """Make the index of every generation cover all its rows; see :func:`index`."""
    done = [
        index(table.of(number), codebook, workforce=workforce, progress=progress)
        for number, codebook in enumerate(codebooks, start=1)
    ]
    return Indexed(
        entries=sum(each.entries for each in done),
        indexed=sum(each.indexed for each in done),
        added=sum(each.added for each in done),
        segments=sum(each.segments for each in done),
        seconds=sum(each.seconds for each in done),
    )


def _most_rows(codebook: Codebook) -> int:
    """Rows of a segment that memory allows."""
    return _BYTES // (_BYTES_A_ROW + codebook.code_size)


def plan_segments(now: Coverage, *, most: int, workers: int = 1) -> list[tuple[int, ...]]:
    """Which fragments become a segment together.

    Parameters
    ----------
    now : Coverage
    most : int
        Rows that a segment may have; a fragment of more is a segment by itself.
    workers : int
        Segments that are built at the same time: each has so large a share of the rows at most.

    Returns
    -------
    list of tuple of int
        Nothing if all is covered. Segments in place stay unless one of these has all of their
        fragments.
    """
    if not now.loose:
        return []
    older, rows = _older(now)
    most = min(most, -(-rows // workers))
    loose = [((number,), count) for number, count in now.loose.items()]
    groups: list[list[tuple[int, ...]]] = [[]]
    taken = 0
    for fragments, count in [*older, *loose]:
        if groups[-1] and taken + count > most:
            groups.append([])
            taken = 0
        groups[-1].append(fragments)
        taken += count
    # A segment in place that none goes together with stays as it is.
    return [
        tuple(itertools.chain(*group))
        for group in groups
        if len(group) > 1 or group[0][0] in now.loose
    ]


def _older(now: Coverage) -> tuple[list[tuple[tuple[int, ...], int]], int]:
    """Segments to be taken in again, each with its rows; and all rows to be indexed."""
    older = []
    rows = sum(now.loose.values())
    for segment in sorted(now.segments, key=lambda each: each.rows):
        if segment.rows > rows:
            break
        older.append((tuple(sorted(segment.fragments)), segment.rows))
        rows += segment.rows
    return older, rows


_PREFIX = "homing-index-"
_OURS = re.compile(r"lock|staged/")  # all that such a folder ever holds


def built(
    table: Table,
    codebook: Codebook,
    groups: Sequence[tuple[int, ...]],
    workforce: Workforce | None,
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Build segments over groups of fragments, in any order; each with its fragments.

    Parameters
    ----------
    table : Table
        Its version in view at the beginning is the one that is read.
    codebook : Codebook
    groups : sequence of tuple of int
    workforce : Workforce or None
        None: this process alone.

    Raises
    ------
    UsageError
        Several workers have died over one segment, or one has built it where it is not seen here.
    """
    if workforce is None or len(groups) == 1:
        for fragments in groups:
            yield fragments, _build(table, codebook, fragments)
        return
    begin = partial(_begin, table.path, table.version, table.generation, codebook)
    with workforce.hire(begin, "build the index", most=len(groups)) as workers:
        for fragments, segment in workers.as_done(groups):
            refuse_missing(table, segment)
            yield fragments, segment


def _begin(
    place: Location, version: int, generation: int | None, codebook: Codebook
) -> Callable[[tuple[int, ...]], Any]:
    """Open the record in a worker; returns what builds a segment there."""
    table = reached_record(place, version=version)
    return partial(_build, table if generation is None else table.of(generation), codebook)


def _build(table: Table, codebook: Codebook, fragments: tuple[int, ...]) -> Any:
    with _working_folder() as folder:
        return build(table, codebook, fragments, folder)


@contextmanager
def _working_folder() -> Iterator[Path]:
    """A temporary folder; those of runs that were killed are removed."""
    temporary = Path(tempfile.gettempdir())
    for left in abandoned_folders(temporary, _PREFIX, _OURS):
        left.remove()
    held = new_folder(temporary, _PREFIX)
    try:
        yield held.path
    finally:
        held.remove()
