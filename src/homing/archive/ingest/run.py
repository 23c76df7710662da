"""A run over many pictures: its output folder checked, its outcomes collected."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from homing.archive.results import Outcome, Report
from homing.archive.table.location import is_store
from homing.errors import UsageError
from homing.options import PathLike

OnOutcome = Callable[[Outcome], None]


def refuse_output(out: Path, folders: Sequence[Path]) -> None:
    """Refuse an output folder that lies inside one of `folders`, or is a file."""
    place = out.resolve()
    for folder in folders:
        if folder.is_dir() and place.is_relative_to(folder.resolve()):
            raise UsageError(
                f"the output folder {str(out)!r} lies inside {str(folder)!r}; choose another place"
            )
    if out.exists() and not out.is_dir():
        raise UsageError(f"the output {str(out)!r} is a file; name a folder")


def refuse_store(out: PathLike) -> None:
    """Refuse an output in an object store."""
    if is_store(out):
        raise UsageError(
            f"files are written to a folder of this machine, which {str(out)!r} is not; copy them "
            "from there to where they are published"
        )


def collect(outcomes: Iterable[Outcome], on_outcome: OnOutcome | None) -> Report:
    """Run to the end, calling `on_outcome` with each outcome as it comes."""
    start = time.perf_counter()
    collected = []
    for outcome in outcomes:
        collected.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome)
    return Report(tuple(collected), time.perf_counter() - start)
