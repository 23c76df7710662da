"""Near duplicates of pictures among the entries of the base: candidates, confirmed or rejected.

Candidates are an original's nearest entries by each descriptor that is measured; all columns then
share the same near duplicates. Local features decide (:mod:`homing.bench.dataset.local_features`).
Where one entry is confirmed, the photograph it belongs to and all its crops are checked as well:
a near duplicate with many crops in the base would otherwise take all places of candidates.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from homing.bench.cache import checksum, read_json, write_json
from homing.bench.context import Run
from homing.bench.dataset.base import Base
from homing.bench.dataset.local_features import CandidatePairs, Evidence, confirm_pairs
from homing.bench.encode.code_checksum import code_checksum
from homing.bench.encode.variants import Task

CANDIDATES = 5
"""Nearest entries of each original, by each descriptor, that are checked."""

_FORMAT = 2  # of the cached verdicts
# The code that decides about a pair, from the files to the verdict.
_SOURCES = (
    "images", "bench/encode/variants.py", "bench/dataset/local_features.py",
    "evidence/features.py", "evidence/geometry.py",
)  # fmt: skip
_PACKAGES = ("pillow", "numpy", "opencv-python-headless")
_SAVE_EVERY = 200  # pictures

Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class NearDuplicates:
    """Confirmed near duplicates."""

    evidence: Mapping[Pair, Evidence]  # by picture and row of the base

    def of(self, picture: int) -> npt.NDArray[np.int64]:
        """Rows of a picture's near duplicates, ascending."""
        return np.array(sorted(row for each, row in self.evidence if each == picture), np.int64)

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of entries that are near duplicates, of mirrored ones, and of their photos."""
        return {
            "entries": len(self.evidence),
            "mirrored": sum(each.mirrored for each in self.evidence.values()),
            "photos": len({picture for picture, _ in self.evidence}),
        }

    def by_picture(self, count: int) -> list[npt.NDArray[np.int64]]:
        """Rows of the near duplicates of pictures 0 … count − 1."""
        rows: list[list[int]] = [[] for _ in range(count)]
        for picture, row in sorted(self.evidence):
            rows[picture].append(row)
        return [np.array(each, np.int64) for each in rows]


def confirm_candidates(
    pictures: Sequence[Task],
    candidates: Sequence[Iterable[int]],
    base: Base,
    run: Run,
    title: str,
    *,
    own: Sequence[int] | None = None,
) -> NearDuplicates:
    """Confirm or reject candidates, and what belongs to the confirmed ones.

    `candidates` has rows of the base for each picture; `own` the task of the base that is the
    picture itself. The run's cache stores the verdicts, pair by pair.
    """
    verdicts = _Verdicts(run.cache / "near_duplicates.json")
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
        found = _decide(pictures, wanted, base, verdicts, run, title)
        evidence.update(found)
        wanted = [set() for _ in pictures]
        for picture, row in found:
            wanted[picture] |= set(families[base.owner[row]]) - seen[picture]
    return NearDuplicates(evidence)


def _families(base: Base) -> list[range]:
    """Rows of each task: a photograph and its crops."""
    ends = np.cumsum([len(task.recipes) for task in base.tasks]).tolist()
    return [range(end - len(task.recipes), end) for task, end in zip(base.tasks, ends, strict=True)]


def _decide(
    pictures: Sequence[Task],
    wanted: Sequence[set[int]],
    base: Base,
    verdicts: "_Verdicts",
    run: Run,
    title: str,
) -> dict[Pair, Evidence]:
    """Decide about all wanted pairs, from the cache or by local features."""
    keys = {
        (picture, row): _key(pictures[picture], base, row)
        for picture, rows in enumerate(wanted)
        for row in sorted(rows)
    }
    missing: dict[int, list[int]] = {}
    for (picture, row), key in keys.items():
        if key not in verdicts:
            missing.setdefault(picture, []).append(row)
    jobs = (
        CandidatePairs(
            pictures[picture].path,
            tuple((task.path, recipe) for task, recipe in map(base.made_by, rows)),
            run.limits,
        )
        for picture, rows in missing.items()
    )
    with run.progress(len(missing), title) as bar:
        decided = zip(missing.items(), run.workers.map(confirm_pairs, jobs), strict=True)
        for number, ((picture, rows), found) in enumerate(decided, start=1):
            for row, verdict in zip(rows, found, strict=True):
                # An unreadable file is no near duplicate now; it may be readable the next time.
                if not isinstance(verdict, str):
                    verdicts.put(keys[picture, row], verdict)
            if number % _SAVE_EVERY == 0:
                verdicts.save()
            bar.by(1)
    verdicts.save()
    every = {pair: verdicts.get(key) for pair, key in keys.items()}
    return {pair: verdict for pair, verdict in every.items() if verdict is not None}


def _key(picture: Task, base: Base, row: int) -> str:
    task, recipe = base.made_by(row)
    code = code_checksum(_SOURCES, _PACKAGES)
    return checksum([_FORMAT, code, picture.file_key, task.file_key, recipe.key])


class _Verdicts:
    """Verdicts in a file: from a pair's checksum to [inliers, mirrored], or null."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._verdicts: dict[str, list[int] | None] = read_json(path) or {}

    def __contains__(self, key: str) -> bool:
        return key in self._verdicts

    def get(self, key: str) -> Evidence | None:
        verdict = self._verdicts.get(key)
        return None if verdict is None else Evidence(verdict[0], bool(verdict[1]))

    def put(self, key: str, verdict: Evidence | None) -> None:
        self._verdicts[key] = None if verdict is None else [verdict.inliers, int(verdict.mirrored)]

    def save(self) -> None:
        write_json(self._path, self._verdicts)
