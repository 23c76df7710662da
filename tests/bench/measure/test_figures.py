"""Recall and false matches on vectors whose answers are known."""

import numpy as np
import pytest

from homing.bench.measure.figures import false_matches, recall_figures
from homing.bench.search.exact import search_exact
from homing.edits import make_edit
from tests.helpers.bench import random_unit_vectors


def identity(image, generator):
    return image


EDITS = [make_edit("easy", identity), make_edit("hard", identity), make_edit("shown", identity)]


def test_an_error_counts_in_no_mean_and_draws_of_one_picture_are_averaged():
    base = np.eye(4, dtype=np.float32)
    # Two pictures; "easy" once, "hard" twice, "shown" once.
    queries = base[[0, 0, 1, 3, 1, 3, 3, 3]]
    made = np.array([True, True, True, True, True, True, False, True])
    rows = [np.array([[0, 4]]), np.array([[1, 5], [2, 6]]), np.array([[3, 7]])]
    edits = [EDITS[0], EDITS[1], make_edit("shown", identity, in_mean=False)]
    pictures = np.repeat([0, 1], 4)
    right = [np.array([0]), np.array([1])]
    answers = search_exact(queries[made], base, [right[p] for p in pictures[made]])
    figures = recall_figures(answers, made, edits, rows, np.random.default_rng(0))
    easy, hard, shown = figures.edits
    assert (easy.recall_1.mean, easy.queries, easy.errors) == (1, 2, 0)
    # The first picture is found in one draw of two; of the second's, one failed, one is missed.
    assert (hard.recall_1.mean, hard.queries, hard.errors) == (0.25, 3, 1)
    assert (shown.recall_1.mean, shown.in_mean) == (0, False)
    assert figures.mean.recall_1.mean == pytest.approx((1 + 0.25) / 2)
    assert (figures.mean.edit, figures.mean.errors) == ("mean of 2", 1)


def test_with_and_without_near_duplicates():
    base = np.eye(3, dtype=np.float32)
    queries = base[[1, 1]]  # the first picture's nearest entry is its near duplicate
    answers = search_exact(queries, base, [np.array([0, 1]), np.array([1, 0])])
    figures = recall_figures(
        answers, np.ones(2, bool), EDITS[:1], [np.array([[0, 1]])], np.random.default_rng(0)
    )
    assert figures.mean.recall_1.mean == 1
    assert figures.mean.strict_1.mean == 0.5


def test_false_matches_are_quantiles_of_all_pairs():
    generator = np.random.default_rng(0)
    others = random_unit_vectors(generator, 400, 16)
    left_out = [np.array([n, n + 1]) for n in range(100)]
    found = false_matches(others[:100], others, left_out)
    similarity = (others[:100] @ others.T).astype(np.float64)
    for photo, rows in enumerate(left_out):
        similarity[photo, rows] = np.nan
    every = np.sort(similarity[~np.isnan(similarity)])
    assert found.pairs == len(every) == 100 * 398
    assert found.above_1e4 == pytest.approx(every[-4], abs=1e-6)  # three of 39,800 are above
    assert np.isnan(found.above_1e5)  # less than one pair
    assert found.median_nearest == pytest.approx(np.median(np.nanmax(similarity, axis=1)), abs=1e-6)


def test_a_share_of_one_pair_is_stated_and_a_smaller_one_is_not():
    others = random_unit_vectors(np.random.default_rng(0), 1001, 8)
    left_out = [np.array([n]) for n in range(100)]
    found = false_matches(others[:100], others, left_out)
    similarity = others[:100] @ others.T
    similarity[np.arange(100), np.arange(100)] = -1
    assert found.pairs == 100_000
    assert found.above_1e5 == pytest.approx(np.sort(similarity, axis=None)[-2], abs=1e-6)
    fewer = false_matches(others[:9], others[:1001], left_out[:9])
    assert (fewer.pairs, np.isnan(fewer.above_1e4)) == (9000, True)
