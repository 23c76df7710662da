"""Parts of an archive asked at the same time, and what is said of those that do not answer.

Each part is asked by a thread of its own. One that hangs, as an object store may, cannot be called
back: its thread is left to itself, and what it says later is not heard.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from homing.errors import HomingError

Answer = TypeVar("Answer")

_AT_ONCE = 8  # parts asked at the same time: each may hold a million rows meanwhile
_LATE = 32  # questions that a part may have left unanswered before it is asked no more


@dataclass(frozen=True)
class Partial:
    """What an answer leaves out.

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
    """How long the parts of an archive have to answer; what does not answer is noted here.

    Without one, a part that cannot be read is an error, and one that is slow is waited for.

    Parameters
    ----------
    seconds : float
        From now on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._missing: list[tuple[int, str]] = []

    @classmethod
    def after(cls, seconds: float | None) -> "Deadline | None":
        """Return one that ends in so many seconds; None is without end."""
        return None if seconds is None else cls(seconds)

    def again(self) -> "Deadline":
        """For another question, with the same end; nothing is noted yet."""
        other = Deadline(self._seconds)
        other._end = self._end
        return other

    @property
    def left(self) -> float:
        """Seconds left."""
        return max(0.0, self._end - time.monotonic())

    def miss(self, entries: int, reason: str = "") -> None:
        """Note entries that gave no answer: for some reason, or in time."""
        self._missing.append((entries, reason or f"no answer within {self._seconds:g} s"))

    @property
    def partial(self) -> Partial | None:
        """What was noted; None: all have answered."""
        if not self._missing:
            return None
        reasons = dict.fromkeys(reason for _, reason in self._missing)
        return Partial(sum(entries for entries, _ in self._missing), "; ".join(reasons))


class Part(Generic[Answer]):
    """A part of an archive that is asked by itself.

    Parameters
    ----------
    entries : int
        How many it holds.
    ask : callable
        Given a question's arguments, it returns the answer.
    """

    def __init__(self, entries: int, ask: Callable[..., Answer]) -> None:
        self.entries = entries
        self.ask = ask
        self.late = threading.BoundedSemaphore(_LATE)


@dataclass(frozen=True)
class _Heard(Generic[Answer]):
    """What a part has said, or why it could not; `final` if the whole question is in vain."""

    number: int
    answer: Answer | None = None
    error: Exception | None = None
    final: bool = True


def answers(
    parts: Sequence[Part[Answer]],
    question: tuple[Any, ...],
    deadline: Deadline | None,
    worth_it: Callable[[], bool],
) -> list[Answer]:
    """Ask all parts; their answers in the order of the parts.

    Parameters
    ----------
    parts : sequence of Part
    question : tuple
        Arguments for each.
    deadline : Deadline or None
        With it, all are asked at the same time, and those that cannot be read, or do not answer in
        time, are noted there and left out. Without, one is asked after the other.
    worth_it : callable
        Asked once a part cannot be read: False if another try will do better than going on.
    """
    if deadline is None:
        return [part.ask(*question) for part in parts]
    heard: queue.SimpleQueue[_Heard[Answer]] = queue.SimpleQueue()
    asking = iter(list(enumerate(parts)))
    lock = threading.Lock()

    def ask() -> None:
        while (taken := _next(asking, lock)) is not None and deadline.left:
            heard.put(_told(*taken, question, worth_it))

    for _ in range(min(_AT_ONCE, len(parts))):
        threading.Thread(target=ask, name="homing-part", daemon=True).start()
    found: dict[int, Answer] = {}
    left = dict(enumerate(parts))
    while left:
        try:
            said = heard.get(timeout=deadline.left)
        except queue.Empty:
            break
        part = left.pop(said.number)
        if said.error is None:
            found[said.number] = said.answer  # type: ignore[assignment] # there is one
        elif said.final:
            raise said.error
        else:
            deadline.miss(part.entries, str(said.error))
    for part in left.values():
        deadline.miss(part.entries)
    return [found[number] for number in sorted(found)]


def _next(
    asking: Iterator[tuple[int, Part[Answer]]], lock: threading.Lock
) -> tuple[int, Part[Answer]] | None:
    with lock:
        return next(asking, None)


def _told(
    number: int,
    part: Part[Answer],
    question: tuple[Any, ...],
    worth_it: Callable[[], bool],
) -> _Heard[Answer]:
    """Ask one part; runs in a thread of its own."""
    if not part.late.acquire(blocking=False):
        silent = HomingError(f"{_LATE} earlier questions are unanswered yet")
        return _Heard(number, error=silent, final=False)
    try:
        return _Heard(number, part.ask(*question))
    except HomingError as error:
        return _Heard(number, error=error, final=not worth_it())
    except Exception as error:  # noqa: BLE001 - raised where the answers are wanted
        return _Heard(number, error=error)
    finally:
        part.late.release()
