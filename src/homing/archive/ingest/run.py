"""Runs over many pictures: the output folder checked, outcomes made and collected."""

import logging
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    progress: OnProgress | None,
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
        if progress is not None:
            progress(Progress(len(collected), total, outcome))
    seconds = time.perf_counter() - start
    report = Report(tuple(collected), seconds, count_passed_over(folders))
    _log.info("%s", report)
    return report


def outcome_without_file(item: Input, status: str, reason: str | None) -> Outcome:
    """Make the outcome of a picture that was skipped or has failed."""
    return Outcome(source=shown(item.path), status=status, id=item.id, reason=reason)


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
