"""A deadline for the parts of an archive: they are queried in parallel, and late ones left out.

A part that hangs, as an object store may, cannot be called back: its thread is abandoned, and its
late answer dropped.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
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
        """What is missing; None if all parts have answered."""
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


@dataclass(frozen=True)
class _Reply(Generic[Answer]):
    """Answer of a part, or its error, which is final if it makes the whole query fail."""

    number: int
    answer: Answer | None = None
    error: Exception | None = None
    is_final: bool = True


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
    replies: queue.SimpleQueue[_Reply[Answer]] = queue.SimpleQueue()
    waiting = deque(enumerate(parts))

    def work() -> None:
        while deadline.seconds_left:
            try:
                number, part = waiting.popleft()
            except IndexError:
                return
            replies.put(_reply_of(number, part, query, accepts_partial))

    for _ in range(min(_AT_ONCE, len(parts))):
        threading.Thread(target=work, name="homing-part", daemon=True).start()
    return _collect(replies, dict(enumerate(parts)), deadline)


def _collect(
    replies: "queue.SimpleQueue[_Reply[Answer]]",
    unanswered: dict[int, Part[Answer]],
    deadline: Deadline,
) -> list[Answer]:
    """Return the answers that come in time, in the order of the parts; note those missing."""
    answers: dict[int, Answer] = {}
    while unanswered:
        try:
            reply = replies.get(timeout=deadline.seconds_left)
        except queue.Empty:
            break
        part = unanswered.pop(reply.number)
        if reply.error is None:
            answers[reply.number] = reply.answer  # type: ignore[assignment] # there is one
        elif reply.is_final:
            raise reply.error
        else:
            deadline.miss(part.entries, str(reply.error))
    for part in unanswered.values():
        deadline.miss(part.entries)
    return [answers[number] for number in sorted(answers)]


def _reply_of(
    number: int,
    part: Part[Answer],
    query: tuple[Any, ...],
    accepts_partial: Callable[[], bool],
) -> _Reply[Answer]:
    """Query one part; runs in a thread of its own."""
    if not part.slots.acquire(blocking=False):
        silent = HomingError(f"{_LATE} earlier questions are unanswered yet")
        return _Reply(number, error=silent, is_final=False)
    try:
        return _Reply(number, part.search(*query))
    except HomingError as error:
        return _Reply(number, error=error, is_final=not accepts_partial())
    except Exception as error:  # noqa: BLE001 - raised where the answers are wanted
        return _Reply(number, error=error)
    finally:
        part.slots.release()
