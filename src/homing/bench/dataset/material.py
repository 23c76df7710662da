"""All rows that a stage measures, gathered once for every encoder, and the twins among them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.context import Run
from homing.bench.dataset.base import Base, Plan, make_base
from homing.bench.dataset.near_duplicates import CANDIDATES, Twins, find_twins
from homing.bench.dataset.queries import Queries, copies_of, unmatched_copies
from homing.bench.encode.describe import encode
from homing.bench.encode.encoders import Encoder
from homing.bench.encode.rows import Encoded
from homing.bench.encode.variants import Task, Whole
from homing.bench.search.exact import nearest
from homing.bench.settings import Sizes
from homing.edits import Edit
from homing.errors import UsageError

_TIES = 7  # seed of the choice among candidates of equal similarity

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Material:
    """What is measured.

    Attributes
    ----------
    plan : Plan
    base : Base
    queries : Queries
        Copies of the photos.
    unmatched : tuple of Task
        Of photographs that are not in the base: each as it is, then its copies.
    entries, copies, others, scale : Encoded
        Rows of the base, of `queries`, of `unmatched` and of the normalisation set.
    """

    plan: Plan
    base: Base
    queries: Queries
    unmatched: tuple[Task, ...]
    entries: Encoded
    copies: Encoded
    others: Encoded
    scale: Encoded

    @property
    def readable(self) -> Flags:
        """For each photo whether it is in the base; the photos are its first rows."""
        return self.entries.made[: len(self.plan.photos)]

    @property
    def originals(self) -> Rows:
        """Among the rows of `others`, those of pictures as they are."""
        sizes = [len(task.recipes) for task in self.unmatched]
        return np.cumsum([0, *sizes])[:-1].astype(np.int64)

    @property
    def failures(self) -> dict[str, str]:
        """Files that could not be read, each with its reason."""
        return {name: reason for name, reason in self._originals() if reason is not None}

    def _originals(self) -> Iterator[tuple[str, str | None]]:
        """Every file's name, and why the picture as it is has no row."""
        for row in np.flatnonzero(self.base.recipe == 0).tolist():
            yield self.base.name(row), self.entries.reasons[row]
        for task, row in zip(self.unmatched, self.originals.tolist(), strict=True):
            yield task.name, self.others.reasons[row]
        for found, reason in zip(self.plan.normalisation, self.scale.reasons, strict=True):
            yield found.relative, reason


@dataclass(frozen=True, eq=False)
class Index:
    """Rows that could be made, close together.

    Attributes
    ----------
    rows : ndarray, int64
        For each place the row.
    place : ndarray, int64
        For each row its place; −1 where it could not be made.
    """

    rows: Rows
    place: Rows

    @classmethod
    def of(cls, made: Flags) -> "Index":
        """Keep the rows that are flagged."""
        rows = np.flatnonzero(made)
        place = np.full(len(made), -1, np.int64)
        place[rows] = np.arange(len(rows))
        return cls(rows, place)

    def places(self, rows: Rows) -> Rows:
        """Places of those rows that are kept."""
        found = self.place[rows]
        return found[found >= 0]


def gather(
    plan: Plan,
    encoders: Sequence[Encoder],
    run: Run,
    sizes: Sizes,
    *,
    apart: Sequence[Encoder],
    edits: Sequence[Edit],
) -> Material:
    """Make, edit and encode everything, or take it from the cache.

    Parameters
    ----------
    plan : Plan
    encoders : sequence of Encoder
    run : Run
    sizes : Sizes
    apart : sequence of Encoder
        Those that also encode what is kept out of the base.
    edits : sequence of Edit
        That the photos suffer.

    Returns
    -------
    Material

    Raises
    ------
    UsageError
        None of the photos can be read.
    """
    base = make_base(plan, sizes.seed)
    queries = copies_of(plan.photos, edits, random_draws=sizes.random_draws, seed=sizes.seed)
    unmatched = unmatched_copies(plan.unmatched, seed=sizes.seed)
    scale = tuple(Task(each.path, each.relative, (Whole(),)) for each in plan.normalisation)
    count = len(plan.photos)
    stages = (
        ("others", base.tasks[count:], encoders),
        ("photographs", base.tasks[:count], encoders),
        ("edited copies", queries.tasks, encoders),
        ("copies without a match", unmatched, apart),
        ("normalisation", scale, apart),
    )
    others, photos, *rest = [encode(tasks, some, run, title) for title, tasks, some in stages]
    material = Material(plan, base, queries, unmatched, photos.followed_by(others), *rest)
    if not material.readable.any():
        raise UsageError(f"none of the pictures can be read ({material.entries.reasons[0]})")
    return material


def seek_twins(material: Material, encoders: Sequence[Encoder], run: Run) -> tuple[Twins, Twins]:
    """Find twins in the base: of the photos, and of the photographs that are not in it.

    Parameters
    ----------
    material : Material
    encoders : sequence of Encoder
        The neighbours by descriptors are looked at, those by hashes are not.
    run : Run

    Returns
    -------
    photos, unmatched : Twins
    """
    index = Index.of(material.entries.made)
    count = len(material.plan.photos)
    ours: list[set[int]] = [set() for _ in range(count)]
    theirs: list[set[int]] = [set() for _ in material.unmatched]
    for encoder in encoders:
        if encoder.descriptor:
            entries = encoder.vectors(material.entries.rows[encoder.name])
            others = encoder.vectors(material.others.rows[encoder.name])[material.originals]
            base = entries[index.rows]
            _add_nearest(ours, entries[:count], material.readable, base, index)
            readable = material.others.made[material.originals]
            _add_nearest(theirs, others, readable, base, index)
    tasks = material.base.tasks[:count]
    return (
        find_twins(tasks, ours, material.base, run, "twins", own=range(count)),
        find_twins(material.unmatched, theirs, material.base, run, "twins of the unmatched"),
    )


def _add_nearest(
    found: Sequence[set[int]],
    vectors: npt.NDArray[np.float32],
    readable: Flags,
    base: npt.NDArray[np.float32],
    index: Index,
) -> None:
    # One more than asked for: a photo's nearest entry is itself.
    places, _ = nearest(vectors[readable], base, CANDIDATES + 1, np.random.default_rng(_TIES))
    for picture, rows in zip(np.flatnonzero(readable).tolist(), index.rows[places], strict=True):
        found[picture].update(rows.tolist())
