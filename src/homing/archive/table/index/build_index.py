"""Indexing: extending the table's index over rows that have come since.

New fragments become a segment of their own, together with older segments that are no larger, so
that segments stay few however often it is done (as in a log-structured merge tree). The rows of a
segment are bounded so that building it takes no more than some hundred megabytes, whatever the
archive's size. Each is committed by itself: a run that dies loses only its current segment, which
is not visible yet.
"""

import itertools
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from homing.archive.table.addresses import has_fragments
from homing.archive.table.index.form import IndexForm, forms_of, stored_form
from homing.archive.table.index.segments import (
    Coverage,
    add_index_column,
    build_segment,
    commit_segment,
    drop_index,
    has_damaged_files,
    read_coverage_by,
    refuse_missing,
)
from homing.archive.table.location import Location
from homing.archive.table.table import Table, open_in_worker
from homing.codebooks.codebook import Codebook
from homing.errors import ArchiveError, UsageError
from homing.files.run_folders import abandoned_folders, new_folder
from homing.search.engines.lance import reason_against
from homing.workers.choose import Workforce

_BYTES = 400 << 20  # of memory that building one segment may take
_BYTES_A_ROW = 80  # beside its code: measured with codes of 8 bytes
_ATTEMPTS = 20

_PREFIX = "homing-index-"
_OURS = re.compile(r"lock|staged/")  # all that a working folder ever holds


@dataclass(frozen=True)
class Indexed:
    """Result of indexing an archive.

    Attributes
    ----------
    entries : int
        Entries of the archive.
    indexed : int
        Entries that the index covers now.
    added : int
        Entries that it did not cover before.
    segments : int
        Parts of the index.
    seconds : float
        Time taken.
    """

    entries: int
    indexed: int
    added: int
    segments: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}


def refuse_unindexable(forms: Iterable[IndexForm], archive: object) -> None:
    """Refuse an archive with a codebook for which Lance cannot have such an index."""
    for form in forms:
        reason = reason_against(form.codebook.factory, form.codes)
        if reason is not None:
            raise UsageError(
                f"{str(archive)!r} cannot be indexed: {reason}; it is searched with --engine memory"
            )


def build_index(
    table: Table,
    codebook: Codebook,
    *,
    codes: str | None = None,
    workforce: Workforce | None = None,
    progress: Callable[[int], None] | None = None,
) -> Indexed:
    """Make the index cover all present rows of one generation, with its codebook.

    An index of other `codes` than those is dropped; None: those of the index in place. The
    workforce builds segments at the same time; None is this process alone. `progress` is called
    with the number of rows indexed since the last call.
    """
    form = stored_form(table, codebook) if codes is None else IndexForm(codebook, codes)
    with table.hold_versions():  # no version names a segment that is being built
        for other in forms_of(codebook):
            if other != form:
                drop_index(table, other)
        return _build_index(table, form, workforce, progress)


def _build_index(
    table: Table,
    form: IndexForm,
    workforce: Workforce | None,
    progress: Callable[[int], None] | None,
) -> Indexed:
    workers = 1 if workforce is None else workforce.count
    start = time.perf_counter()
    add_index_column(table, form)
    added = 0
    for left in reversed(range(_ATTEMPTS)):
        coverage = _sound_coverage(table, form)
        plan = plan_segments(coverage, most=_most_rows(table, form), workers=workers)
        try:
            for fragments, segment in _build_segments(table, form, plan, workforce):
                if not commit_segment(table, form, fragments, segment):
                    break  # another process has rewritten or indexed them
                new = sum(coverage.unindexed.get(number, 0) for number in fragments)
                added += new
                if progress is not None:
                    progress(new)
            else:
                break  # rows that others add meanwhile are left to the next run
        except ArchiveError:
            table.refresh()
            if not left or has_fragments(table, itertools.chain(*plan)):
                raise
    coverage = read_coverage_by(table, form)
    seconds = time.perf_counter() - start
    return Indexed(coverage.rows, coverage.covered, added, len(coverage.segments), seconds)


def _sound_coverage(table: Table, form: IndexForm) -> Coverage:
    """Read what the index covers; an index that differs from the table, or rots, is dropped."""
    coverage = read_coverage_by(table, form)
    if coverage.is_sound and not has_damaged_files(table, coverage):
        return coverage
    drop_index(table, form)
    return read_coverage_by(table, form)


def index_generations(
    table: Table,
    codebooks: Sequence[Codebook],
    *,
    codes: str | None = None,
    workforce: Workforce | None = None,
    progress: Callable[[int], None] | None = None,
) -> Indexed:
    """Make the index of every generation cover all its rows; see :func:`build_index`."""
    done = [
        build_index(
            table.of_generation(number),
            codebook,
            codes=codes,
            workforce=workforce,
            progress=progress,
        )
        for number, codebook in enumerate(codebooks, start=1)
    ]
    return Indexed(
        entries=sum(each.entries for each in done),
        indexed=sum(each.indexed for each in done),
        added=sum(each.added for each in done),
        segments=sum(each.segments for each in done),
        seconds=sum(each.seconds for each in done),
    )


def _most_rows(table: Table, form: IndexForm) -> int:
    """Rows of a segment that memory allows, each in all of its places."""
    return _BYTES // (table.places * (_BYTES_A_ROW + form.value_bytes))


def plan_segments(coverage: Coverage, *, most: int, workers: int = 1) -> list[tuple[int, ...]]:
    """Group fragments into segments of at most `most` rows; empty if all are covered.

    A larger fragment is a segment by itself. Each of the `workers` gets an equal share of the rows
    at most. A segment in place stays unless a group has all of its fragments.
    """
    if not coverage.unindexed:
        return []
    older, rows = _segments_to_merge(coverage)
    most = min(most, -(-rows // workers))
    unindexed = [((number,), count) for number, count in coverage.unindexed.items()]
    groups: list[list[tuple[int, ...]]] = [[]]
    taken = 0
    for fragments, count in [*older, *unindexed]:
        if groups[-1] and taken + count > most:
            groups.append([])
            taken = 0
        groups[-1].append(fragments)
        taken += count
    # A segment in place that is a group by itself stays.
    return [
        tuple(itertools.chain(*group))
        for group in groups
        if len(group) > 1 or group[0][0] in coverage.unindexed
    ]


def _segments_to_merge(coverage: Coverage) -> tuple[list[tuple[tuple[int, ...], int]], int]:
    """Return segments to be built anew, each with its rows; and all rows to be indexed."""
    older = []
    rows = coverage.unindexed_rows
    for segment in sorted(coverage.segments, key=lambda each: each.rows):
        if segment.rows > rows:
            break
        older.append((tuple(sorted(segment.fragments)), segment.rows))
        rows += segment.rows
    return older, rows


def _build_segments(
    table: Table,
    form: IndexForm,
    groups: Sequence[tuple[int, ...]],
    workforce: Workforce | None,
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Build a segment over each group of fragments, in any order; yields both.

    All are read from the version in view at the beginning. Raises UsageError if several workers
    die over one segment, or one builds it where this machine does not see it.
    """
    if workforce is None or len(groups) == 1:
        for fragments in groups:
            yield fragments, _build(table, form, fragments)
        return
    begin = partial(_begin, table.path, table.version, table.generation, form)
    with workforce.hire(begin, "build the index", most=len(groups)) as workers:
        for fragments, segment in workers.as_done(groups):
            refuse_missing(table, segment)
            yield fragments, segment


def _begin(
    path: Location, version: int, generation: int | None, form: IndexForm
) -> Callable[[tuple[int, ...]], Any]:
    """Open the table in a worker; returns the function that builds a segment there."""
    table = open_in_worker(path, version=version)
    part = table if generation is None else table.of_generation(generation)
    return partial(_build, part, form)


def _build(table: Table, form: IndexForm, fragments: tuple[int, ...]) -> Any:
    with _working_folder() as folder:
        return build_segment(table, form, fragments, folder)


@contextmanager
def _working_folder() -> Iterator[Path]:
    """Make a temporary folder; those that killed runs have left are removed."""
    temporary = Path(tempfile.gettempdir())
    for left in abandoned_folders(temporary, _PREFIX, _OURS):
        left.remove()
    own = new_folder(temporary, _PREFIX)
    try:
        yield own.path
    finally:
        own.remove()
