"""The newest version of a record, as searched."""

from collections.abc import Callable
from typing import TypeVar

from homing.archive.engines import check_engine, choose
from homing.archive.generations import Codebooks
from homing.archive.record import Record, translated
from homing.archive.snapshot import Snapshot

_T = TypeVar("_T")


class Current:
    """Keeps the snapshot of the newest version, and takes another where there is a newer one.

    Parameters
    ----------
    record : Record
    codebooks : Codebooks
        Of its generations.
    engine : {"auto", "memory", "lance"}
        What searches.

    Raises
    ------
    UsageError
        There is no such engine.
    """

    def __init__(self, record: Record, codebooks: Codebooks, engine: str) -> None:
        self._engine = check_engine(engine)
        self._record = record
        self._codebooks = codebooks
        self._snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """Move on to the newest version; its codes are loaded if they are not yet."""
        self._record.refresh()
        if self._snapshot is None or self._snapshot.version != self._record.version:
            with translated(self._record.path):
                books = self._codebooks.of(self._record)
                engine = choose(self._engine, self._record, books)
                self._snapshot = Snapshot(self._record, books, engine)
        return self._snapshot

    def asked(self, question: Callable[[Snapshot], _T]) -> _T:
        """Ask one snapshot, since positions mean nothing in the next one.

        Where its files are removed meanwhile, a newer one is asked from the beginning.
        """
        return self._record.retried(lambda: question(self.snapshot()))
