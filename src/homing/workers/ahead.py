"""Work begun ahead of whoever takes its results, and not too far."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

_Begun = TypeVar("_Begun")


def begun_ahead(begun: Iterable[_Begun], most: int) -> Iterator[_Begun]:
    """Yield what an iterable begins, in its order, while it is so many further.

    Parameters
    ----------
    begun : iterable
        Begins something each time that it is asked, and gives what stands for it (a future).
    most : int
        Begun and not yet yielded, at most: this bounds memory however many there are.
    """
    waiting: deque[_Begun] = deque()
    for each in begun:
        waiting.append(each)
        if len(waiting) > most:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()
