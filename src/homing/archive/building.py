"""Segments built by this process, or by several workers of this machine or others.

A worker writes a segment that nobody sees and hands back its description; only the process that was
asked to index commits. A worker that dies has therefore neither doubled nor lost a row: what it had
in hand is given to others.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from homing.archive.reaching import reached_record
from homing.archive.record import Record
from homing.archive.segments import build, refuse_missing
from homing.archive.stores import Place
from homing.codebooks import Codebook
from homing.files.run_folders import abandoned, new_folder
from homing.workers.choose import Workforce

_PREFIX = "homing-index-"
_OURS = re.compile(r"lock|staged/")  # all that such a folder ever holds


def built(
    record: Record,
    codebook: Codebook,
    groups: Sequence[tuple[int, ...]],
    workforce: Workforce | None,
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Build segments over groups of fragments, in any order; each with its fragments.

    Parameters
    ----------
    record : Record
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
            yield fragments, _build(record, codebook, fragments)
        return
    begin = partial(_begin, record.path, record.version, record.generation, codebook)
    with workforce.hire(begin, "build the index", most=len(groups)) as workers:
        for fragments, segment in workers.as_done(groups):
            refuse_missing(record, segment)
            yield fragments, segment


def _begin(
    place: Place, version: int, generation: int | None, codebook: Codebook
) -> Callable[[tuple[int, ...]], Any]:
    """Open the record in a worker; returns what builds a segment there."""
    record = reached_record(place, version=version)
    return partial(_build, record if generation is None else record.of(generation), codebook)


def _build(record: Record, codebook: Codebook, fragments: tuple[int, ...]) -> Any:
    with _working_folder() as folder:
        return build(record, codebook, fragments, folder)


@contextmanager
def _working_folder() -> Iterator[Path]:
    """A temporary folder; those of runs that were killed are removed."""
    temporary = Path(tempfile.gettempdir())
    for left in abandoned(temporary, _PREFIX, _OURS):
        left.remove()
    held = new_folder(temporary, _PREFIX)
    try:
        yield held.path
    finally:
        held.remove()
