"""Segments built by this process, or by several workers of this machine or others.

A worker writes a segment that nobody sees and hands back its description; only the process that was
asked to index commits. A worker that dies has therefore neither doubled nor lost a row: what it had
in hand is given to others.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from homing.archive.reaching import reached_record
from homing.archive.record import Record
from homing.archive.segments import build, refuse_missing
from homing.archive.stores import Place
from homing.codebooks import Codebook
from homing.locks import try_lock
from homing.workforce import Workforce

__all__ = ["built"]

_PREFIX = "homing-index-"


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
        with suppress(FileNotFoundError):  # tidied away before it had a lock
            lock = (folder / "lock").open("ab")
            if try_lock(lock) and (folder / "lock").exists():
                return folder, lock
            lock.close()


def _remove_abandoned(folder: Path) -> None:
    try:
        with (folder / "lock").open("r+b") as lock:
            if try_lock(lock):
                shutil.rmtree(folder, ignore_errors=True)
    except FileNotFoundError:  # its run has been killed before it made one, or is about to
        with suppress(OSError):
            folder.rmdir()
    except OSError:  # somebody else's
        return
