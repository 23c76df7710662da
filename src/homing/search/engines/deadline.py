"""A deadline for the parts of an archive: they are queried in parallel, and late ones left out.

A part that hangs, as an object store may, cannot be called back: its thread is abandoned, and its
late answer dropped.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from homing.errors import HomingError

Answer = TypeVar("Answer")

_AT_ONCE = 8  # parts queried at the same time: each may hold a million rows meanwhile
_LATE = 32  # queries that a part may leave unanswered before it gets no more


@dataclass(frozen=True)
class Partial:
    """Part of an archive that an answer leaves out.

    Attributes
    ----------
    entries_not_asked : int
        Entries of the parts that gave no answer.
    reason : str
        Why they gave none.
    """

    entries_not_asked: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {"entries_not_asked": self.entries_not_asked, "reason": self.reason}


class Deadline:
    """Time that the parts of an archive have to answer, from now; notes the answers missing.

    Without a deadline, a part that cannot be read is an error, and a slow one is waited for.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._missing: list[tuple[int, str]] = []

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline | None":
        """Return a deadline in `seconds`; None for None, which is without end."""
        return None if seconds is None else cls(seconds)

    def fresh(self) -> "Deadline":
        """Return a deadline for another query: the same end, nothing missing yet."""
        other = Deadline(self._seconds)
        other._end = self._end
        return other

    @property
    def seconds_left(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def miss(self, entries: int, reason: str = "") -> None:
        """Note that `entries` gave no answer: for a reason, or in time."""
        self._missing.append((entries, reason or f"no answer within {self._seconds:g} s"))

    @property
    def partial(self) -> Partial | None:
        """Missing part of the answer; None if all parts have answered."""
        if not self._missing:
            return None
        reasons = dict.fromkeys(reason for _, reason in self._missing)
        return Partial(sum(entries for entries, _ in self._missing), "; ".join(reasons))


class Part(Generic[Answer]):
    """Part of an archive: a number of entries, and a function that answers queries over them."""

    def __init__(self, entries: int, search: Callable[..., Answer]) -> None:
        self.entries = entries
        self.search = search
        self.slots = threading.BoundedSemaphore(_LATE)


def query_parts(
    parts: Sequence[Part[Answer]],
    query: tuple[Any, ...],
    deadline: Deadline | None,
    accepts_partial: Callable[[], bool],
) -> list[Answer]:
    """Return the answers of all parts to one query (arguments of their search), in order.

    With a deadline, all are queried at the same time; unreadable and late ones are noted there and
    left out. Without, one is queried after the other. `accepts_partial` is called once a part
    cannot be read: False means that a new attempt will do better, and the error is raised.
    """
    if deadline is None:
        return [part.search(*query) for part in parts]
    replies: list[Future[Answer | HomingError]] = [Future() for _ in parts]
    waiting = deque(zip(parts, replies, strict=True))

    def work() -> None:
        while deadline.seconds_left:
            try:
                part, reply = waiting.popleft()
            except IndexError:
                return
            _query_part(part, query, reply, accepts_partial)

    for _ in range(min(_AT_ONCE, len(parts))):
        threading.Thread(target=work, name="homing-part", daemon=True).start()
    in_time, _ = wait(replies, timeout=deadline.seconds_left, return_when=FIRST_EXCEPTION)
    _raise_failure(in_time)
    answers: list[Answer] = []
    for part, reply in zip(parts, replies, strict=True):
        if reply not in in_time:
            deadline.miss(part.entries)
        elif isinstance(answer := reply.result(), HomingError):
            deadline.miss(part.entries, str(answer))
        else:
            answers.append(answer)
    return answers


def _raise_failure(replies: Iterable[Future[Any]]) -> None:
    """Raise the error of a part, before the others count as missed."""
    for reply in replies:
        if error := reply.exception():
            raise error


def _query_part(
    part: Part[Answer],
    query: tuple[Any, ...],
    reply: "Future[Answer | HomingError]",
    accepts_partial: Callable[[], bool],
) -> None:
    """Query one part; the reply gets its answer, an error to note, or one to raise."""
    if not part.slots.acquire(blocking=False):
        reply.set_result(HomingError(f"{_LATE} earlier questions are unanswered yet"))
        return
    try:
        reply.set_result(part.search(*query))
    except HomingError as error:
        if accepts_partial():
            reply.set_result(error)
        else:
            reply.set_exception(error)
    except Exception as error:  # noqa: BLE001 - raised where the answers are wanted
        reply.set_exception(error)
    finally:
        part.slots.release()
