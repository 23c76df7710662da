"""What the runs over many pictures share: their settings checked, their outcomes collected."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from homing.archive.inputs import PathLike
from homing.archive.results import Outcome, Report
from homing.archive.table.location import is_store
from homing.errors import UsageError
from homing.images import DEFAULT_LIMITS, KINDS, Limits
from homing.options import METHOD

if TYPE_CHECKING:
    from homing.activation import Activator
    from homing.codebooks import Codebook
    from homing.descriptors import Descriptor

OnOutcome = Callable[[Outcome], None]

_LEAST_BUDGET, _GREATEST_BUDGET = 30.0, 70.0  # dB: anybody sees less, and more leaves no room


def make_activator(
    descriptor: "Descriptor",
    codebook: "Codebook",
    *,
    psnr: float = 42.0,
    method: str = METHOD,
    seed: int = 0,
    format: str | None = None,  # noqa: A002 - the word of the command line
    limits: Limits = DEFAULT_LIMITS,
    also: "Sequence[Codebook]" = (),
) -> "Activator":
    """Check the settings of a release and put them together."""
    from homing.activation import Activator, find_method

    if not _LEAST_BUDGET <= psnr <= _GREATEST_BUDGET:
        raise UsageError(
            f"psnr must be between {_LEAST_BUDGET:g} and {_GREATEST_BUDGET:g} dB, not {psnr:g}"
        )
    if seed < 0:
        raise UsageError(f"the seed must be at least 0, not {seed}")
    return Activator(
        descriptor,
        codebook,
        find_method(method),
        budget=psnr,
        seed=seed,
        limits=limits,
        kind=_kind(format),
        also=tuple(also),
    )


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
    """Run to the end, telling of each outcome as it comes."""
    start = time.perf_counter()
    kept = []
    for outcome in outcomes:
        kept.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome)
    return Report(tuple(kept), time.perf_counter() - start)


def _kind(format: str | None) -> str | None:  # noqa: A002 - the word of the command line
    if format is None:
        return None
    kind = KINDS.get("." + format.lower())
    if kind is None:
        known = ", ".join(sorted({name.lower() for name in KINDS.values()}))
        raise UsageError(f"no format {format!r}; known: {known}")
    return kind
