"""What one encoder's vectors give: recall under each edit, and false matches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from homing.bench.search.exact import Answers, answer, similarity_blocks
from homing.bench.statistics.bootstrap import Interval, bootstrap_means
from homing.bench.statistics.measures import can_tell, recall, reciprocal_rank, upper_value
from homing.edits import Edit

Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EditFigures:
    """One edit's figures.

    Attributes
    ----------
    edit : str
    in_mean : bool
        Whether the mean counts it.
    queries, errors : int
        Copies searched for, and copies that could not be made, which count in no figure.
    recall_1 : Interval
        Share of copies answered by their picture, or by a twin of it.
    strict_1 : Interval
        By their picture alone.
    recall_10, reciprocal_rank : Interval
        Twins being right.
    """

    edit: str
    in_mean: bool
    queries: int
    errors: int
    recall_1: Interval
    strict_1: Interval
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
) -> Answers:
    """Search for those copies that could be made.

    Parameters
    ----------
    queries : ndarray, shape (n, d), float32
    made : ndarray, shape (n,), bool
    pictures : ndarray, shape (n,), int64
        Which picture each is a copy of.
    base : ndarray, shape (m, d), float32
    right : sequence of ndarray of int64
        For each picture its rows of the base, itself first.
    progress : callable, optional

    Returns
    -------
    Answers
        Of the n' queries made.
    """
    wanted = [right[picture] for picture in pictures[made]]
    return answer(queries[made], base, wanted, progress)


def recall_figures(
    answers: Answers,
    made: Flags,
    edits: Sequence[Edit],
    rows: Sequence[Rows],
    generator: np.random.Generator,
) -> RecallFigures:
    """Take means over pictures and edits.

    Parameters
    ----------
    answers : Answers
        Of the queries made.
    made : ndarray, shape (n,), bool
        Of all queries.
    edits : sequence of Edit
    rows : sequence of ndarray, shape (draws, pictures), int64
        For each edit the places of its copies among all queries.
    generator : numpy.random.Generator
        Of the bootstrap.

    Returns
    -------
    RecallFigures
    """
    measured = (
        recall(answers.places, 1),
        recall(answers.strict, 1),
        recall(answers.places, 10),
        reciprocal_rank(answers.places),
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
    """Mean over the draws that could be made; NaN for a picture without any.

    Parameters
    ----------
    values : ndarray, shape (draws, …, pictures), float64
        NaN where a copy could not be made.

    Returns
    -------
    ndarray, shape (…, pictures), float64
    """
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    mean = np.full(values.shape[1:], np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


@dataclass(frozen=True)
class FalseMatches:
    """Similarity of photographs that show different things.

    Attributes
    ----------
    pairs : int
        Pairs of a photograph and another one; twins and crops left out.
    above_1e4, above_1e5 : float
        Similarity that a share of 1e-4, and of 1e-5, of all pairs is above; NaN where that is
        less than one pair.
    median_nearest : float
        Median over photographs of the similarity to the nearest other one.
    """

    pairs: int
    above_1e4: float
    above_1e5: float
    median_nearest: float


def false_matches(photos: Vectors, others: Vectors, left_out: Sequence[Rows]) -> FalseMatches:
    """Compare photographs with all others.

    Parameters
    ----------
    photos : ndarray, shape (n, d), float32
    others : ndarray, shape (m, d), float32
        Whole photographs.
    left_out : sequence of ndarray of int64
        For each photo the rows of `others` that are itself or a twin.

    Returns
    -------
    FalseMatches
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
        upper_value(values, rate, pairs) if can_tell(rate, pairs) else float("nan")
        for rate in (1e-4, 1e-5)
    )
    return FalseMatches(
        pairs,
        above_1e4,
        above_1e5,
        float(np.median(near)) if len(near) else float("nan"),
    )
