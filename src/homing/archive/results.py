"""Results of an archive: outcomes of releasing and adding, of imports, of verifications."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from homing.images.kinds import Unread


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Outcome of one picture given to ``release``, ``add``, ``annotate`` or ``activate``.

    Attributes
    ----------
    source : str
        Path as given.
    status : str
        "released", "added", "annotated", "activated", "skipped" or "failed".
    id : str or None
        Id of the entry.
    reason : str or None
        Why the picture was skipped or failed.
    file : str or None
        The file written.
    psnr : float or None
        dB; None if nothing was written or nothing changed.
    ssim : float or None
        Structural similarity of the luminance, up to 1.
    ssimulacra2 : float or None
        Likeness as seen, in colour, up to 100: from 85 on not told apart. The least of the whole
        picture on a screen and of parts in its own size.
    cell_kept, also_kept : bool or None, tuple of bool
        Whether the file falls in the cell it was activated for; the same of further codebooks.
    seconds : float
        Share of the run's time.
    notes : tuple of str
        Properties of the source that were lost, or not possible.
    c2pa_manifest : str or None
        Id of the manifest that the file was signed with.
    unrecorded : tuple of str
        Fields of the list of pictures, such as a caption, that the entry does not have since it was
        there already: :meth:`Archive.annotate` records them.
    """

    source: str
    status: str
    id: str | None = None
    reason: str | None = None
    file: str | None = None
    psnr: float | None = None
    ssim: float | None = None
    ssimulacra2: float | None = None
    cell_kept: bool | None = None
    also_kept: tuple[bool, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    c2pa_manifest: str | None = None
    unrecorded: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line; those without a value are left out."""
        values: dict[str, Any] = {
            "source": self.source,
            "status": self.status,
            "id": self.id,
            "reason": self.reason,
            "file": self.file,
            "psnr": _rounded(self.psnr, 3),
            "ssim": _rounded(self.ssim, 5),
            "ssimulacra2": _rounded(self.ssimulacra2, 2),
            "cell_kept": self.cell_kept,
            "also_kept": list(self.also_kept) or None,
            "notes": list(self.notes) or None,
            "c2pa_manifest": self.c2pa_manifest,
            "unrecorded": list(self.unrecorded) or None,
            "seconds": round(self.seconds, 4),
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class Report:
    """The outcomes of one run, in the order of its inputs."""

    outcomes: tuple[Outcome, ...]
    seconds: float  # that the run took
    #: Files in folders of kinds that homing does not read, counted; see `passed_over_in_words`.
    passed_over: Mapping[Unread, int] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Outcome]:
        """Iterate over the outcomes."""
        return iter(self.outcomes)

    def __len__(self) -> int:
        """Count the outcomes."""
        return len(self.outcomes)

    def count(self, status: str) -> int:
        """Count the outcomes of a status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The outcomes that failed, each with its reason."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == "failed")

    def __str__(self) -> str:
        """Count the outcomes by status, in one line."""
        counts = Counter(outcome.status for outcome in self.outcomes)
        parts = [f"{number} {status}" for status, number in counts.items()]
        done = f"{', '.join(parts) or 'nothing to do'} in {self.seconds:.1f} s"
        return "; ".join(
            filter(None, (done, self._captions(), passed_over_in_words(self.passed_over)))
        )

    def _captions(self) -> str:
        """Say how many pictures that were there already have captions to be recorded."""
        number = sum(bool(outcome.unrecorded) for outcome in self.outcomes)
        if not number:
            return ""
        whose = "1 picture that was" if number == 1 else f"{number:,} pictures that were"
        return (
            f"captions or other fields of {whose} there already are not recorded: "
            "'homing annotate' records them from the same list"
        )


def passed_over_in_words(counts: Mapping[Unread, int]) -> str:
    """Say which files in folders were passed over, and what to do; "" if there were none.

    They show pictures, by their first bytes or their names, of kinds that homing does not read.
    """
    by_remedy: dict[str, list[str]] = {}
    for kind, count in counts.items():
        by_remedy.setdefault(kind.remedy, []).append(f"{kind.name} ({count})")
    parts = [f"{', '.join(names)}: {remedy}" for remedy, names in by_remedy.items()]
    return f"passed over, of kinds that homing does not read: {'; '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class Problem:
    """A problem found in an archive or in a file to import."""

    id: str | None  # None: the archive's own
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {"id": self.id, "problem": self.message}


@dataclass(frozen=True)
class Imported:
    """Result of importing a file or vectors: counts of rows, and those left out with the reason."""

    imported: int
    skipped: int  # existed already
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()  # what was done to them


@dataclass(frozen=True)
class MadePreviews:
    """Result of making missing previews: counts of entries, and what was wrong with which."""

    made: int
    present: int  # had one already
    problems: tuple[Problem, ...]  # entries left without one
    notes: tuple[Problem, ...] = ()  # entries whose preview shows the source


@dataclass(frozen=True)
class Verification:
    """Result of verifying an archive."""

    entries: int  # checked
    files: int  # released ones, checked
    problems: tuple[Problem, ...]
    previews: int = 0  # checked
    decisions: int = 0  # checked
    #: Files of the table without a checksum: of an archive made before there were any, or of a
    #: process that was killed. They get theirs with the next change.
    unrecorded: int = 0

    @property
    def clean(self) -> bool:
        """True if no problem was found."""
        return not self.problems


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or math.isinf(value) else round(value, digits)
