"""The watcher of a folder: takes what has arrived, has it released, and moves it aside."""

import json
import logging
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from homing.archive.ids import composed
from homing.archive.ingest.run import outcome_without_file, refuse_output
from homing.archive.inputs import Input, gather_inputs
from homing.archive.results import Outcome, Report
from homing.errors import UsageError
from homing.files.locks import hold_lock_within
from homing.images.limits import shown
from homing.watch.arrivals import SIDECAR, Arrival, Arrivals, Stamp
from homing.watch.aside import move_aside

_log = logging.getLogger(__name__)

_LOCK = ".homing-watch.lock"
_STEP = 0.2  # seconds between two looks at whether to stop

#: Releases the pictures of a manifest, whose paths start from the watched folder.
Release = Callable[[Path], Report]


@dataclass(frozen=True)
class Folders:
    """The watched folder, and where its files go. Raises `UsageError` if they cannot be these."""

    watched: Path
    done: Path  # pictures that were released
    failed: Path  # those that could not be, with the reason beside each
    out: Path  # the released files
    archive: Path | None  # None: in an object store

    @classmethod
    def of(
        cls,
        watched: Path,
        *,
        out: Path,
        archive: Path | None,
        done: Path | None = None,
        failed: Path | None = None,
    ) -> "Folders":
        """Check folders; without others, ``NAME-done`` and ``NAME-failed`` take pictures."""
        if not watched.is_dir():
            raise UsageError(f"there is no folder {shown(watched)!r} to watch")
        place = watched if watched.name not in ("", "..") else watched.resolve()
        done = done or place.with_name(f"{place.name}-done")
        failed = failed or place.with_name(f"{place.name}-failed")
        for each in (out, done, failed):
            refuse_output(each, [watched])
            _refuse_overlap(each, [watched])  # or what is put there would arrive, or be published
        if archive:
            _refuse_overlap(archive, [watched])  # its files would be taken for arrivals
        for aside in (done, failed):
            # Sources beside released files would be published with them.
            _refuse_overlap(aside, [out, *([archive] if archive else [])])
        _refuse_overlap(done, [failed])
        return cls(watched, done, failed, out, archive)


@dataclass(frozen=True)
class Taken:
    """A picture that was taken, with its outcome."""

    outcome: Outcome
    moved: Path | None  # where it was moved to; None: it could not be, and stays
    problem: str | None = None  # why it stays


@dataclass(frozen=True)
class Pace:
    """How long and how often a watcher looks. Raises `UsageError` if a value is out of range."""

    settle: float = 5.0  # seconds that a file must be unchanged
    interval: float = 2.0  # seconds between two looks
    batch: int = 32  # pictures released together, at most

    def __post_init__(self) -> None:
        if not self.settle >= 0 or not self.interval > 0 or self.batch < 1:
            raise UsageError(
                "a watcher lets files settle for at least 0 seconds, looks more often than never, "
                f"and takes at least one picture at once; not {self}"
            )


class Watcher:
    """Watches one folder; a second watcher of it is refused.

    Nothing is kept but the files themselves: a picture lies in the watched folder until it is
    released or has failed. A watcher that is killed leaves what the next one completes.
    """

    def __init__(
        self,
        folders: Folders,
        release: Release,
        pace: Pace,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folders = folders
        self._release_listed = release
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._arrivals = Arrivals(folders.watched, pace.settle)
        self._left: dict[Path, Arrival] = {}  # could not be moved

    def run(self, stop: Callable[[], bool], *, once: bool = False) -> Generator[Taken, None, None]:
        """Yield pictures as they are taken, until `stop` says so or, with `once`, all are.

        With `once`, files that are not complete within the time to settle are left. `stop` is asked
        between batches.
        """
        lock = self._folders.watched / _LOCK
        with hold_lock_within(lock, 0) as held:
            if not held:
                raise UsageError(
                    f"another process watches {shown(self._folders.watched)!r}; end it first"
                )
            _log.info("watching %s", self._folders.watched)
            if once:
                self._arrivals.settled(self._clock())
                self._pause(self._pace.settle, stop)
            while not stop():
                while not stop() and (batch := self._next_batch()):
                    yield from self._take(batch)
                if once:
                    return
                self._pause(self._pace.interval, stop)

    def _pause(self, seconds: float, stop: Callable[[], bool]) -> None:
        end = self._clock() + seconds
        while not stop() and (left := end - self._clock()) > 0:
            self._sleep(min(left, _STEP))

    def _next_batch(self) -> list[Arrival]:
        """Return files that have settled, no two of which could be released under one name."""
        batch: dict[str, Arrival] = {}
        for arrival in self._arrivals.settled(self._clock()):
            if self._left.get(arrival.relative) == arrival:
                continue
            # In other letters, or with another suffix, it may be the same name in `out`.
            batch.setdefault(composed(shown(arrival.relative.with_suffix(""))).casefold(), arrival)
            if len(batch) == self._pace.batch:
                break
        return list(batch.values())

    def _take(self, batch: Sequence[Arrival]) -> Iterator[Taken]:
        _log.info("releasing %d pictures", len(batch))
        for arrival, outcome in self._outcomes(batch):
            taken = self._set_aside(arrival, outcome)
            if taken.moved is None:
                _log.warning("%s stays: %s", arrival.path, taken.problem)
                self._left[arrival.relative] = arrival
            yield taken

    def _outcomes(self, batch: Sequence[Arrival]) -> Iterator[tuple[Arrival, Outcome]]:
        """Release a batch; where its pictures cannot go together, one by one."""
        report, reason = None, ""
        with tempfile.TemporaryDirectory(prefix="homing-watch-") as folder:
            manifest = Path(folder, "arrivals.jsonl")
            try:
                lines = [json.dumps(arrival.line()) + "\n" for arrival in batch]
                manifest.write_text("".join(lines), encoding="utf-8")
                gather_inputs([self._folders.watched], manifest)
            except UsageError as error:  # a sidecar's
                reason = str(error)
            else:
                try:
                    report = self._release_listed(manifest)
                except UsageError:
                    if len(batch) == 1:  # an option's, which no other picture will mend
                        raise
        if report is not None:
            yield from zip(batch, report, strict=True)
        elif len(batch) == 1:
            yield batch[0], _failed(batch[0], reason)
        else:
            for arrival in batch:
                yield from self._outcomes([arrival])

    def _set_aside(self, arrival: Arrival, outcome: Outcome) -> Taken:
        """Move a picture aside, with its sidecar; one that has changed meanwhile stays."""
        if arrival.changed():
            return Taken(outcome, None, "it has changed since it was taken, and will be again")
        failed = outcome.status == "failed"
        place = (self._folders.failed if failed else self._folders.done) / arrival.relative
        try:
            if not failed:  # first: a picture that is still there is released already
                _move_sidecar(arrival, place)
            moved = move_aside(arrival.path, place, outcome.reason if failed else None)
            if failed:
                _move_sidecar(arrival, moved)
        except OSError as error:
            return Taken(outcome, None, f"it cannot be moved: {error}")
        return Taken(outcome, moved)


def _move_sidecar(arrival: Arrival, place: Path) -> None:
    if arrival.sidecar is not None and Stamp.of(arrival.sidecar):
        move_aside(arrival.sidecar, place.with_name(place.name + SIDECAR))


def _failed(arrival: Arrival, reason: str) -> Outcome:
    return outcome_without_file(
        Input(arrival.path, shown(arrival.relative.as_posix()), arrival.relative), "failed", reason
    )


def _refuse_overlap(folder: Path, others: Sequence[Path]) -> None:
    place = folder.resolve()
    for other in map(Path.resolve, others):
        if place.is_relative_to(other) or other.is_relative_to(place):
            raise UsageError(
                f"{shown(folder)!r} cannot lie in or around {shown(other)!r}; choose another folder"
            )
