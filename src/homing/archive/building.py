"""Segments built by this process or by several of this machine.

A worker writes a segment that nobody sees and hands back its description; only the process that was
asked to index commits. A worker that dies has therefore neither doubled nor lost a row: what it had
in hand is given to others.
"""

import multiprocessing
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from homing.archive.record import Record
from homing.archive.segments import build
from homing.archive.stores import Place
from homing.codebooks import Codebook
from homing.errors import ArchiveError
from homing.locks import try_lock

__all__ = ["built"]

_PREFIX = "homing-index-"
_TRIES = 3  # of all workers, without one of them having finished anything


def built(
    record: Record, codebook: Codebook, groups: Sequence[tuple[int, ...]], workers: int
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Build segments over groups of fragments, in any order; each with its fragments.

    Parameters
    ----------
    record : Record
        Its version in view at the beginning is the one that is read.
    codebook : Codebook
    groups : sequence of tuple of int
    workers : int
        Processes; 1 is this one.
    """
    if workers == 1 or len(groups) == 1:
        for fragments in groups:
            with _working_folder() as folder:
                segment = build(record, codebook, fragments, folder)
            yield fragments, segment
        return
    left, tries, version = list(groups), _TRIES, record.version
    while left:
        count = len(left)
        for fragments, segment in _by_workers(record.path, version, codebook, left, workers):
            left.remove(fragments)
            yield fragments, segment
        tries = _TRIES if len(left) < count else tries - 1
        if not tries:
            raise ArchiveError(
                "the workers that build the index die, perhaps for want of memory; take fewer"
            )


def _by_workers(
    place: Place,
    version: int,
    codebook: Codebook,
    groups: Sequence[tuple[int, ...]],
    workers: int,
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Build what the workers can before one of them dies; then all of them have to be replaced."""
    # Lance's threads do not live through a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(groups)), mp_context=context)
    try:
        futures = {pool.submit(_build, place, version, codebook, each): each for each in groups}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)


def _build(place: Place, version: int, codebook: Codebook, fragments: tuple[int, ...]) -> Any:
    """Build a segment; runs in a worker."""
    record = Record.open(place, version=version)
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
