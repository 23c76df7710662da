"""Figures of one encoder's vectors: recall under each edit, and false matches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.search.exact import ExactHits, search_exact, similarity_blocks
from homing.bench.statistics.bootstrap import Interval, bootstrap_means
from homing.bench.statistics.measures import is_measurable, recall, reciprocal_rank, upper_value
from homing.edits import Edit

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EditFigures:
    """Figures of one edit; near duplicates are right answers unless stated otherwise."""

    edit: str
    in_mean: bool  # the mean counts it
    queries: int  # copies searched for
    errors: int  # copies that could not be made, which count in no figure
    recall_1: Interval  # copies answered by their picture or a near duplicate of it
    strict_1: Interval  # copies answered by their picture alone
    recall_10: Interval
    reciprocal_rank: Interval


@dataclass(frozen=True)
class RecallFigures:
    """All edits, and the mean over those that count."""

    edits: tuple[EditFigures, ...]
    mean: EditFigures


def search_copies(
    queries: Vectors,
    made: Flags,
    pictures: Rows,
    base: Vectors,
    right: Sequence[Rows],
    progress: Callable[[int], None] | None = None,
) -> ExactHits:
    """Search for the copies that could be made.

    `queries` is (n, d), `made` and `pictures`, the picture of each copy, (n,), `base` (m, d);
    `right` has for each picture its rows of the base, itself first.
    """
    wanted = [right[picture] for picture in pictures[made]]
    return search_exact(queries[made], base, wanted, progress)


def recall_figures(
    hits: ExactHits,
    made: Flags,
    edits: Sequence[Edit],
    rows: Sequence[Rows],
    generator: np.random.Generator,
) -> RecallFigures:
    """Average over pictures and edits; `generator` resamples pictures.

    `made` is (n,), of all queries; `rows` has for each edit the places of its copies among them,
    (draws, pictures).
    """
    measured = (
        recall(hits.places, 1),
        recall(hits.strict, 1),
        recall(hits.places, 10),
        reciprocal_rank(hits.places),
    )
    counted = np.array([edit.in_mean for edit in edits])
    tables, means = [], []
    state = generator.bit_generator.state
    for values in measured:
        generator.bit_generator.state = state  # the same resamples for all four
        each = np.full(len(made), np.nan)
        each[made] = values
        table = np.stack([mean_of_draws(each[places]) for places in rows])
        found, mean = bootstrap_means(table, counted, generator)
        tables.append(found)
        means.append(mean)
    figures = tuple(
        EditFigures(
            edit.name,
            edit.in_mean,
            int(made[places].sum()),
            int((~made[places]).sum()),
            *(table[number] for table in tables),
        )
        for number, (edit, places) in enumerate(zip(edits, rows, strict=True))
    )
    inside = [figure for figure in figures if figure.in_mean]
    queries, errors = sum(f.queries for f in inside), sum(f.errors for f in inside)
    name = f"mean of {len(inside)}"
    return RecallFigures(figures, EditFigures(name, True, queries, errors, *means))


def mean_of_draws(values: Floats) -> Floats:
    """Mean over the draws that could be made, (draws, …, pictures); NaN if none could."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean = np.full(values.shape[1:], np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


@dataclass(frozen=True)
class FalseMatches:
    """Similarity of photographs that show different things."""

    pairs: int  # of a photograph and another one; near duplicates and crops omitted
    above_1e4: float  # a share of 1e-4 of all pairs is above; NaN if that is less than one
    above_1e5: float  # a share of 1e-5 of all pairs is above; NaN if that is less than one
    median_nearest: float  # median similarity of a photograph to the nearest other one


def false_matches(photos: Vectors, others: Vectors, left_out: Sequence[Rows]) -> FalseMatches:
    """Compare photographs, (n, d), with all whole photographs, (m, d).

    `left_out` has for each photo the rows of `others` that are itself or a near duplicate.
    """
    pairs = len(photos) * len(others) - sum(map(len, left_out))
    keep = int(1e-4 * pairs) + 2
    largest, closest = np.empty(0, np.float32), []
    for first, block in similarity_blocks(photos, others):
        for row in range(len(block)):
            block[row, left_out[first + row]] = -np.inf
        closest.append(block.max(axis=1, initial=-np.inf))
        largest = np.concatenate([largest, block[np.isfinite(block)]])
        if len(largest) > keep:
            largest = np.partition(largest, len(largest) - keep)[-keep:]
    near = np.concatenate(closest) if closest else np.empty(0, np.float32)
    near = near[np.isfinite(near)]
    values = largest.astype(np.float64)
    above_1e4, above_1e5 = (
        upper_value(values, rate, pairs) if is_measurable(rate, pairs) else float("nan")
        for rate in (1e-4, 1e-5)
    )
    return FalseMatches(
        pairs,
        above_1e4,
        above_1e5,
        float(np.median(near)) if len(near) else float("nan"),
    )
