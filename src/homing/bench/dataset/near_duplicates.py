"""The near-duplicates of pictures among the entries of the base, sought and confirmed.

Candidates are an original's nearest entries by each descriptor that is measured; every column is
then judged by the same twins. Local features decide (:mod:`homing.bench.dataset.local_features`).
Where one entry is confirmed, the photograph it belongs to and all its crops are looked at as well,
since a twin with many crops in the base would otherwise fill all places of candidates.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from homing.bench.context import Run
from homing.bench.dataset.base import Base
from homing.bench.dataset.local_features import Evidence, Pairs, confirm_pairs
from homing.bench.encode.definitions import definitions
from homing.bench.encode.variants import Task
from homing.options import Limits

CANDIDATES = 5
"""Nearest entries of each original, by each descriptor, that are looked at."""

_FORMAT = 1  # of the kept verdicts
# Whose code judges a pair, from the files to the verdict.
_SOURCES = (
    "images", "bench/encode/variants.py", "bench/dataset/local_features.py", "evidence/features.py"
)  # fmt: skip
_PACKAGES = ("pillow", "numpy", "opencv-python-headless")
_KEEP_EVERY = 200  # pictures

Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Twins:
    """What was found.

    Attributes
    ----------
    evidence : mapping
        From (picture, row of the base) to why they are twins.
    """

    evidence: Mapping[Pair, Evidence]

    def of(self, picture: int) -> npt.NDArray[np.int64]:
        """Rows of a picture's twins, ascending."""
        return np.array(sorted(row for each, row in self.evidence if each == picture), np.int64)

    @property
    def counts(self) -> dict[str, int]:
        """How many entries of the base are twins, how many mirrored, and of how many photos."""
        return {
            "entries": len(self.evidence),
            "mirrored": sum(each.mirrored for each in self.evidence.values()),
            "photos": len({picture for picture, _ in self.evidence}),
        }

    def by_picture(self, count: int) -> list[npt.NDArray[np.int64]]:
        """Rows of the twins of pictures 0 … count − 1."""
        rows: list[list[int]] = [[] for _ in range(count)]
        for picture, row in sorted(self.evidence):
            rows[picture].append(row)
        return [np.array(each, np.int64) for each in rows]


def find_twins(
    pictures: Sequence[Task],
    candidates: Sequence[Iterable[int]],
    base: Base,
    run: Run,
    title: str,
    *,
    own: Sequence[int] | None = None,
) -> Twins:
    """Confirm or reject candidates, and what belongs to those confirmed.

    Parameters
    ----------
    pictures : sequence of Task
        The originals.
    candidates : sequence of iterable of int
        For each picture rows of the base.
    base : Base
    run : Run
        Its cache keeps the verdicts, pair by pair.
    title : str
        Of the progress bar.
    own : sequence of int, optional
        For each picture the task of the base that is itself and no twin.

    Returns
    -------
    Twins
    """
    verdicts = _Verdicts(run.cache / "twins.json")
    families = _families(base)
    seen: list[set[int]] = [set() for _ in pictures]
    evidence: dict[Pair, Evidence] = {}
    wanted = [set(map(int, rows)) for rows in candidates]
    while any(wanted):
        for picture, rows in enumerate(wanted):
            if own is not None:
                rows.difference_update(families[own[picture]])
            rows.difference_update(seen[picture])
            seen[picture].update(rows)
        found = _judge(pictures, wanted, base, verdicts, run, title)
        evidence.update(found)
        wanted = [set() for _ in pictures]
        for picture, row in found:
            wanted[picture] |= set(families[base.owner[row]]) - seen[picture]
    return Twins(evidence)


def _families(base: Base) -> list[range]:
    ends = np.cumsum([len(task.recipes) for task in base.tasks]).tolist()
    return [range(end - len(task.recipes), end) for task, end in zip(base.tasks, ends, strict=True)]


def _judge(
    pictures: Sequence[Task],
    wanted: Sequence[set[int]],
    base: Base,
    verdicts: "_Verdicts",
    run: Run,
    title: str,
) -> dict[Pair, Evidence]:
    """One round: all pairs wanted, from what is kept or by looking."""
    keys = {
        (picture, row): _key(pictures[picture], base, row)
        for picture, rows in enumerate(wanted)
        for row in sorted(rows)
    }
    jobs: dict[int, list[int]] = {}
    for (picture, row), key in keys.items():
        if key not in verdicts:
            jobs.setdefault(picture, []).append(row)
    orders = (_pairs(pictures[p], rows, base, run.limits) for p, rows in jobs.items())
    with run.progress(len(jobs), title) as bar:
        judged = zip(jobs.items(), run.workers.map(confirm_pairs, orders), strict=True)
        for number, ((picture, rows), found) in enumerate(judged, start=1):
            for row, verdict in zip(rows, found, strict=True):
                # What cannot be read is nobody's twin this time; it may be read the next.
                if not isinstance(verdict, str):
                    verdicts.put(keys[picture, row], verdict)
            if number % _KEEP_EVERY == 0:
                verdicts.keep()
            bar.by(1)
    verdicts.keep()
    every = {pair: verdicts.get(key) for pair, key in keys.items()}
    return {pair: verdict for pair, verdict in every.items() if verdict is not None}


def _pairs(picture: Task, rows: Sequence[int], base: Base, limits: Limits) -> Pairs:
    made = [base.made_by(row) for row in rows]
    return Pairs(picture.path, tuple((task.path, recipe) for task, recipe in made), limits)


def _key(picture: Task, base: Base, row: int) -> str:
    task, recipe = base.made_by(row)
    made_by = definitions(_SOURCES, _PACKAGES)
    text = json.dumps([_FORMAT, made_by, picture.file_key, task.file_key, recipe.key])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class _Verdicts:
    """Verdicts kept in a file: from a pair's checksum to [inliers, mirrored], or null."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._kept: dict[str, list[int] | None] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            self._kept = {}

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def get(self, key: str) -> Evidence | None:
        kept = self._kept.get(key)
        return None if kept is None else Evidence(kept[0], bool(kept[1]))

    def put(self, key: str, verdict: Evidence | None) -> None:
        self._kept[key] = None if verdict is None else [verdict.inliers, int(verdict.mirrored)]

    def keep(self) -> None:
        # Its own name until it is complete: two runs may keep theirs at once.
        part = self._path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(self._kept), encoding="utf-8")
        part.replace(self._path)
