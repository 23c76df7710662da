"""Progress of long work: one value, given to the function that a caller passes as ``progress``."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["OnProgress", "Progress", "counted"]


@dataclass(frozen=True)
class Progress:
    """How far a call has come.

    Attributes
    ----------
    done : int
        Pictures or entries so far; of a download, bytes.
    total : int or None
        Of how many; None where that is not known.
    result : object
        What has just been done: an :class:`Outcome` of a release or an addition, which is recorded
        by then, a :class:`SearchResult` of a search; otherwise None.

    Examples
    --------
    >>> archive.add("photos", progress=lambda step: print(f"{step.done} of {step.total}"))
    """

    done: int
    total: int | None = None
    result: Any = None


OnProgress: TypeAlias = Callable[[Progress], None]
"""Called in the caller's own thread; what it raises ends the work."""


def counted(
    progress: OnProgress | None, total: Callable[[], int] | None = None
) -> Callable[[int], None] | None:
    """Return a function that adds up what was done since its last call, and reports the sum.

    `total` is only computed if there is somebody to tell.
    """
    if progress is None:
        return None
    done, whole = 0, None if total is None else total()

    def count(number: int) -> None:
        nonlocal done
        done += number
        progress(Progress(done, whole))

    return count
