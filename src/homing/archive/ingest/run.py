"""Runs over many pictures: the output folder checked, outcomes made and collected."""

import itertools
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from homing.archive.inputs import Input
from homing.archive.results import Outcome, Report
from homing.archive.table.location import is_store
from homing.errors import UsageError
from homing.images.find import count_passed_over
from homing.images.limits import shown
from homing.options import PathLike
from homing.progress import OnProgress, Progress

if TYPE_CHECKING:
    from homing.activation.activator import Activated

_log = logging.getLogger(__name__)

#: Seconds that the pictures of the first commits, and of all later ones, wait for others: an
#: interruption loses what is not recorded, and many commits make many small files.
WAITS = (2.0, 5.0, 10.0, 20.0)

_Item = TypeVar("_Item")


def _ignore(*_: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Observer:
    """Calls of a run while it works, and its question before it takes a picture."""

    planned: Callable[[int], None] = _ignore  # with the number of pictures, before all others
    progress: OnProgress = _ignore  # once a picture is recorded
    begun: Callable[[], None] = _ignore  # when a picture is taken to be worked on
    worked: Callable[[], None] = _ignore  # when it has been, before it is recorded; by any thread
    skipped: Callable[[], None] = _ignore  # when a picture turns out to need no work
    stopped: Callable[[], Any] = _ignore  # if true, no further picture is begun

    @classmethod
    def of(cls, given: "OnProgress | Observer | None") -> "Observer":
        """Return the observer itself, or one of a function that takes progress."""
        if given is None:
            return UNOBSERVED
        return given if isinstance(given, Observer) else cls(progress=given)


UNOBSERVED = Observer()
"""Of a run that nobody watches or stops."""


def chunks(items: Iterable[_Item], most: int) -> Iterator[list[_Item]]:
    """Yield items together that are committed together, `most` or those of some seconds."""
    patience = itertools.chain(WAITS, itertools.repeat(WAITS[-1]))
    chunk: list[_Item] = []
    start, wait = time.monotonic(), next(patience)
    for item in items:
        chunk.append(item)
        if len(chunk) >= most or time.monotonic() - start >= wait:
            yield chunk
            chunk, start, wait = [], time.monotonic(), next(patience)
    if chunk:
        yield chunk


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


def collect(
    outcomes: Iterable[Outcome],
    total: int,
    progress: OnProgress,
    folders: Sequence[Path] = (),
) -> Report:
    """Run to the end, reporting each of `total` outcomes as it comes.

    Files in `folders` that are passed over are counted.
    """
    start = time.perf_counter()
    collected = []
    for outcome in outcomes:
        collected.append(outcome)
        if outcome.status == "failed":
            _log.info("%s: failed: %s", outcome.source, outcome.reason)
        else:
            _log.debug("%s: %s as %r", outcome.source, outcome.status, outcome.id)
        progress(Progress(len(collected), total, outcome))
    seconds = time.perf_counter() - start
    report = Report(tuple(collected), seconds, count_passed_over(folders))
    _log.info("%s", report)
    return report


def outcome_without_file(
    item: Input, status: str, reason: str | None, unrecorded: tuple[str, ...] = ()
) -> Outcome:
    """Make the outcome of a picture that was skipped or has failed."""
    source = shown(item.path)
    return Outcome(source=source, status=status, id=item.id, reason=reason, unrecorded=unrecorded)


def outcome_with_file(
    item: Input,
    activated: "Activated",
    file: Path,
    *,
    status: str,
    seconds: float,
    c2pa_manifest: str | None = None,
) -> Outcome:
    """Make the outcome of a picture that was activated and whose file has its final name."""
    return Outcome(
        source=shown(item.path),
        status=status,
        id=item.id,
        file=shown(file),
        psnr=finite_psnr(activated.psnr),
        ssim=activated.ssim,
        ssimulacra2=activated.ssimulacra2,
        cell_kept=activated.cell_kept,
        also_kept=activated.also_kept,
        seconds=seconds,
        notes=activated.notes,
        c2pa_manifest=c2pa_manifest,
    )


def finite_psnr(psnr: float) -> float | None:
    """Return a PSNR in dB; None if it is infinite: the file equals its source."""
    return None if math.isinf(psnr) else psnr
