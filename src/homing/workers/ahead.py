"""The loop that keeps work submitted ahead of its results."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

Submitted = TypeVar("Submitted")


def submitted_ahead(submissions: Iterable[Submitted], ahead: int) -> Iterator[Submitted]:
    """Yield submissions (futures, say) in order, each once `ahead` later ones have been made.

    `submissions` submits a task whenever its next item is taken. The bound on the tasks that wait
    is a bound on memory.
    """
    waiting: deque[Submitted] = deque()
    for submission in submissions:
        waiting.append(submission)
        if len(waiting) > ahead:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()
