"""Queries: photographs under edits, and copies of photographs outside the base."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from homing.bench.encode.variants import Copy, Task, Whole
from homing.edits import Edit, paper_edits
from homing.images import FoundPicture

_EDITED, _UNMATCHED = 4, 5  # purposes of a seed; no other draw has these
_DRAWS = 4  # random edits of each photograph without a match


@dataclass(frozen=True)
class Row:
    """One edit, drawn once."""

    edit: Edit
    draw: int  # 0, 1, … of a random edit; 0 of others


@dataclass(frozen=True, eq=False)
class Queries:
    """Edited copies: of each picture (task) one under every row."""

    tasks: tuple[Task, ...]
    rows: tuple[Row, ...]

    def of(self, row: int) -> npt.NDArray[np.int64]:
        """Places of one row's copies among all queries, one for each picture."""
        return np.arange(len(self.tasks)) * len(self.rows) + row

    @cached_property
    def edits(self) -> tuple[Edit, ...]:
        """The edits, each once."""
        return tuple(dict.fromkeys(row.edit for row in self.rows))

    @cached_property
    def pictures(self) -> npt.NDArray[np.int64]:
        """For each copy the number of its picture."""
        return np.repeat(np.arange(len(self.tasks)), len(self.rows))

    def places(self) -> list[npt.NDArray[np.int64]]:
        """For each edit the places of its copies among all, (draws, pictures)."""
        return [
            np.stack([self.of(n) for n, row in enumerate(self.rows) if row.edit is edit])
            for edit in self.edits
        ]

    def of_files(self, files: Sequence[Path | None]) -> "Queries":
        """The same copies, with the same draws, of other files, without pictures that have none."""
        tasks = zip(self.tasks, files, strict=True)
        return Queries(
            tuple(replace(task, path=file) for task, file in tasks if file is not None), self.rows
        )


def plan_copies(
    photos: Sequence[FoundPicture], edits: Sequence[Edit], *, random_draws: int, seed: int
) -> Queries:
    """Plan the copies of the photographs.

    The draw of a copy depends on the seed, the photograph's place and the draw's number alone.
    """
    rows = tuple(
        Row(edit, draw) for edit in edits for draw in range(random_draws if edit.random else 1)
    )
    tasks = tuple(
        Task(
            found.path,
            found.relative,
            tuple(Copy(row.edit, (seed, _EDITED, place, row.draw)) for row in rows),
        )
        for place, found in enumerate(photos)
    )
    return Queries(tasks, rows)


def plan_unmatched_copies(photos: Sequence[FoundPicture], *, seed: int) -> tuple[Task, ...]:
    """Plan four random copies of each photograph outside the base.

    The first recipe of each task is the photograph itself, by which its near duplicates are found.
    """
    (random,) = (edit for edit in paper_edits() if edit.random)
    return tuple(
        Task(
            found.path,
            found.relative,
            (
                Whole(),
                *(Copy(random, (seed, _UNMATCHED, place, draw)) for draw in range(_DRAWS)),
            ),
        )
        for place, found in enumerate(photos)
    )
