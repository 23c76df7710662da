"""Material: all rows that are measured, made once for every encoder, and their near duplicates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.context import Run
from homing.bench.dataset.base import Base, Plan, make_base
from homing.bench.dataset.near_duplicates import CANDIDATES, NearDuplicates, confirm_candidates
from homing.bench.dataset.queries import Queries, plan_copies, plan_unmatched_copies
from homing.bench.encode.encoders import Encoder
from homing.bench.encode.pipeline import encode
from homing.bench.encode.rows import EncodedRows, concatenate_rows
from homing.bench.encode.variants import Task, Whole
from homing.bench.search.exact import nearest_entries
from homing.bench.settings import Sizes
from homing.edits import Edit
from homing.errors import UsageError

_TIES = 7  # seed of the choice among candidates of equal similarity

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Material:
    """The pictures of a run, and their rows by every encoder."""

    plan: Plan
    base: Base
    queries: Queries  # copies of the photos
    unmatched: tuple[Task, ...]  # photographs that are not in the base: each, then its copies
    entries: EncodedRows  # of the base
    copies: EncodedRows  # of the queries
    unmatched_rows: EncodedRows
    normalisation: EncodedRows

    @property
    def readable(self) -> Flags:
        """For each photo whether it is in the base; the photos are its first rows."""
        return self.entries.made[: len(self.plan.photos)]

    @property
    def originals(self) -> Rows:
        """Places in `unmatched_rows` of the photographs themselves."""
        sizes = [len(task.recipes) for task in self.unmatched]
        return np.cumsum([0, *sizes])[:-1].astype(np.int64)

    @property
    def failures(self) -> dict[str, str]:
        """Files that could not be read, each with its reason."""
        return {name: reason for name, reason in self._originals() if reason is not None}

    def _originals(self) -> Iterator[tuple[str, str | None]]:
        """Yield every file's name, and why the picture itself has no row."""
        for row in np.flatnonzero(self.base.recipe == 0).tolist():
            yield self.base.name(row), self.entries.reasons[row]
        for task, row in zip(self.unmatched, self.originals.tolist(), strict=True):
            yield task.name, self.unmatched_rows.reasons[row]
        normalisation = self.normalisation.reasons
        for found, reason in zip(self.plan.normalisation, normalisation, strict=True):
            yield found.relative, reason


@dataclass(frozen=True, eq=False)
class RowSubset:
    """Some rows, numbered anew."""

    rows: Rows  # for each place its row
    place: Rows  # for each row its place; −1 if it is not in the subset

    @classmethod
    def flagged(cls, flags: Flags) -> "RowSubset":
        """Take the rows that are flagged."""
        rows = np.flatnonzero(flags)
        place = np.full(len(flags), -1, np.int64)
        place[rows] = np.arange(len(rows))
        return cls(rows, place)

    def places(self, rows: Rows) -> Rows:
        """Places of those rows that are in the subset."""
        found = self.place[rows]
        return found[found >= 0]


def gather_material(
    plan: Plan,
    encoders: Sequence[Encoder],
    run: Run,
    sizes: Sizes,
    *,
    apart: Sequence[Encoder],
    edits: Sequence[Edit],
) -> Material:
    """Make, edit and encode all pictures, or read their rows from the cache.

    Encoders in `apart` also encode the pictures outside the base. `UsageError` if no photo can be
    read.
    """
    base = make_base(plan, sizes.seed)
    queries = plan_copies(plan.photos, edits, random_draws=sizes.random_draws, seed=sizes.seed)
    unmatched = plan_unmatched_copies(plan.unmatched, seed=sizes.seed)
    normalisation = [Task(each.path, each.relative, (Whole(),)) for each in plan.normalisation]
    count = len(plan.photos)
    steps = (
        ("others", base.tasks[count:], encoders),
        ("photographs", base.tasks[:count], encoders),
        ("edited copies", queries.tasks, encoders),
        ("copies without a match", unmatched, apart),
        ("normalisation", normalisation, apart),
    )
    others, photos, *rest = [encode(tasks, some, run, title) for title, tasks, some in steps]
    entries = concatenate_rows([photos, others], encoders)
    material = Material(plan, base, queries, unmatched, entries, *rest)
    if not material.readable.any():
        raise UsageError(f"none of the pictures can be read ({material.entries.reasons[0]})")
    return material


def find_near_duplicates(
    material: Material, encoders: Sequence[Encoder], run: Run
) -> tuple[NearDuplicates, NearDuplicates]:
    """Find near duplicates in the base: of the photos, and of the photographs outside the base.

    Candidates are the neighbours by descriptors, not those by hashes.
    """
    subset = RowSubset.flagged(material.entries.made)
    count = len(material.plan.photos)
    of_photos: list[set[int]] = [set() for _ in range(count)]
    of_unmatched: list[set[int]] = [set() for _ in material.unmatched]
    for encoder in encoders:
        if encoder.descriptor:
            entries = encoder.vectors(material.entries.rows[encoder.name])
            rows = material.unmatched_rows.rows[encoder.name]
            unmatched = encoder.vectors(rows)[material.originals]
            base = entries[subset.rows]
            _add_nearest(of_photos, entries[:count], material.readable, base, subset)
            readable = material.unmatched_rows.made[material.originals]
            _add_nearest(of_unmatched, unmatched, readable, base, subset)
    tasks = material.base.tasks[:count]
    return (
        confirm_candidates(
            tasks, of_photos, material.base, run, "near duplicates", own=range(count)
        ),
        confirm_candidates(
            material.unmatched,
            of_unmatched,
            material.base,
            run,
            "near duplicates of the unmatched",
        ),
    )


def _add_nearest(
    found: Sequence[set[int]],
    vectors: npt.NDArray[np.float32],
    readable: Flags,
    base: npt.NDArray[np.float32],
    subset: RowSubset,
) -> None:
    # One more than needed: a photo's nearest entry is itself.
    generator = np.random.default_rng(_TIES)
    places, _ = nearest_entries(vectors[readable], base, CANDIDATES + 1, generator)
    for picture, rows in zip(np.flatnonzero(readable).tolist(), subset.rows[places], strict=True):
        found[picture].update(rows.tolist())
