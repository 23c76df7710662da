"""What is asked of a search: the options of :meth:`homing.Archive.search`, checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from homing.archive.inputs import PathLike, several
from homing.archive.query.snapshot import RERANK
from homing.errors import UsageError
from homing.evidence import require_opencv
from homing.images import DEFAULT_LIMITS, Limits
from homing.search import UPRIGHT, Patience, check_views

RATE = 1e-4
"""False alarms a query, at most, for a hit to be called a copy, unless told otherwise."""


class SearchOptions(TypedDict, total=False):
    """Keywords of a search, for type checkers; :class:`Asked` says what those left out are."""

    k: int
    probes: int | None
    rerank: int
    views: str
    rate: float
    confirm: bool
    files: PathLike | Sequence[PathLike]
    limits: Limits
    deadline: float | None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a search; :meth:`homing.Archive.search` says what each of them means.

    Raises
    ------
    UsageError
        One of them makes no sense; before anything is read.
    """

    k: int = 10
    probes: int | None = None
    rerank: int = RERANK
    views: str = UPRIGHT
    rate: float = RATE
    confirm: bool = False
    files: PathLike | Sequence[PathLike] = ()
    limits: Limits = DEFAULT_LIMITS
    deadline: float | None = None

    def __post_init__(self) -> None:
        check_views(self.views)
        if self.confirm:
            require_opencv()
        if self.k < 1 or self.rerank < 0:
            raise UsageError(
                f"k must be at least 1 and rerank at least 0, not {self.k} and {self.rerank}"
            )
        if not 0 < self.rate < 1:
            raise UsageError(f"the false-alarm rate must be between 0 and 1, not {self.rate:g}")
        if self.probes is not None and self.probes < 1:
            raise UsageError(f"probes must be at least 1, not {self.probes}")
        if self.deadline is not None and not self.deadline > 0:
            raise UsageError(f"the deadline must be more than 0 seconds, not {self.deadline:g}")

    def patience(self) -> Patience | None:
        """From now on, with the parts of the archive; None: without end."""
        return None if self.deadline is None else Patience(self.deadline)

    @property
    def folders(self) -> list[Path]:
        """Where pictures of entries lie, their ids being paths in it."""
        return several(self.files)
