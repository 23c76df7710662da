"""Indexing: the record's index made to cover what has come since.

New fragments become a segment of their own, together with older segments that are no larger, so
that there are few of them however often it is done (as in a log-structured merge tree). A segment
holds so many rows at most that building it takes no more than some hundred megabytes, whatever the
archive's size. Each is committed by itself: a run that dies has lost only the segment in hand, of
which nobody has seen anything.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from homing.archive.record import Record
from homing.archive.segments import Coverage, add_column, build, commit, coverage, drop
from homing.codebooks import Codebook
from homing.errors import ArchiveError, UsageError
from homing.locks import try_lock
from homing.search import reason_against

__all__ = ["Indexed", "index", "plan_segments", "refuse_unless_held"]

_PREFIX = "homing-index-"
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


def refuse_unless_held(codebook: Codebook, archive: object) -> None:
    """Refuse a codebook that Lance's index cannot hold.

    Raises
    ------
    UsageError
        With the reason.
    """
    reason = reason_against(codebook.factory)
    if reason is not None:
        raise UsageError(
            f"{str(archive)!r} cannot be indexed: {reason}; it is searched with --engine memory"
        )


def index(
    record: Record,
    codebook: Codebook,
    *,
    progress: Callable[[int], None] | None = None,
) -> Indexed:
    """Make the index cover all rows there are now.

    Parameters
    ----------
    record : Record
    codebook : Codebook
        The archive's; it must be one that Lance can hold.
    progress : callable or None
        Called with the number of rows indexed since the last call.
    """
    start = time.perf_counter()
    add_column(record, codebook)
    if not coverage(record, codebook).sound:
        drop(record, codebook)
    added = 0
    for left in reversed(range(_ATTEMPTS)):
        now = coverage(record, codebook)
        plan = plan_segments(now, most=_most_rows(codebook))
        try:
            for fragments in plan:
                _build_and_commit(record, codebook, fragments)
                fresh = sum(now.loose.get(number, 0) for number in fragments)
                added += fresh
                if progress is not None:
                    progress(fresh)
            break  # what others add meanwhile is left to the next run
        except ArchiveError:
            version = record.version
            record.refresh()
            if record.version == version or not left:
                raise
            # Another process has rewritten or indexed what was being indexed.
    now = coverage(record, codebook)
    covered = sum(segment.rows for segment in now.segments)
    return Indexed(len(record), covered, added, len(now.segments), time.perf_counter() - start)


def _build_and_commit(record: Record, codebook: Codebook, fragments: Sequence[int]) -> None:
    with _working_folder() as folder:
        commit(record, codebook, [build(record, codebook, fragments, folder)])


def _most_rows(codebook: Codebook) -> int:
    return _BYTES // (_BYTES_A_ROW + codebook.code_size)


def plan_segments(now: Coverage, *, most: int) -> list[tuple[int, ...]]:
    """Which fragments become a segment together.

    Parameters
    ----------
    now : Coverage
    most : int
        Rows that a segment may have; a fragment of more is a segment by itself.

    Returns
    -------
    list of tuple of int
        Nothing if all is covered. Segments in place stay unless one of these has all of their
        fragments.
    """
    if not now.loose:
        return []
    first: list[int] = []
    rows = sum(now.loose.values())
    taken = 0
    for segment in sorted(now.segments, key=lambda each: each.rows):
        if segment.rows > rows or taken + segment.rows > most:
            break
        first += sorted(segment.fragments)
        taken += segment.rows
        rows += segment.rows
    groups, current = [], first
    for number, count in now.loose.items():
        if current and taken + count > most:
            groups.append(tuple(current))
            current, taken = [], 0
        current.append(number)
        taken += count
    groups.append(tuple(current))
    return [group for group in groups if any(number in now.loose for number in group)]


@contextmanager
def _working_folder() -> Iterator[Path]:
    """A temporary folder; those of runs that were killed are removed."""
    for left in Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
        _remove_abandoned(left)
    folder, lock = _new_folder()
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> tuple[Path, IO[bytes]]:
    """Make a folder and take its lock, unless another run comes between and tidies it away."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        lock = (folder / "lock").open("ab")
        if try_lock(lock) and (folder / "lock").exists():
            return folder, lock
        lock.close()


def _remove_abandoned(folder: Path) -> None:
    try:
        with (folder / "lock").open("r+b") as lock:
            if try_lock(lock):
                shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # somebody else's, or being made
        return
