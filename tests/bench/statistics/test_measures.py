"""Measures of retrieval, against slow and direct versions of them."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homing.bench.statistics.measures import (
    Places,
    average_precision,
    recall,
    recall_at_false_alarms,
    recall_at_precision,
    reciprocal_rank,
    spread,
    upper_value,
)


def places(*triples):
    return Places(*(np.array(column, np.int64) for column in zip(*triples, strict=True)))


def orders(greater, equal, right):
    """Return the ranks of the first right entry in every order of the equal ones."""
    flags = [True] * right + [False] * (equal - right)
    return [greater + 1 + order.index(True) for order in permutations(flags)]


CASES = [
    (greater, equal, right)
    for greater in (0, 1, 4)
    for equal in (1, 2, 3, 5)
    for right in range(1, equal + 1)
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("k", [1, 2, 3, 5, 10])
def test_recall_is_the_mean_over_all_orders_of_equals(case, k):
    assert recall(places(case), k)[0] == pytest.approx(np.mean([r <= k for r in orders(*case)]))


@pytest.mark.parametrize("case", CASES)
def test_reciprocal_rank_is_the_mean_over_all_orders_of_equals(case):
    expected = np.mean([1 / rank for rank in orders(*case)])
    assert reciprocal_rank(places(case))[0] == pytest.approx(expected)


def test_a_query_without_a_right_entry_is_missed():
    assert recall(places((0, 3, 0)), 1)[0] == 0
    assert reciprocal_rank(places((0, 3, 0)))[0] == 0


def test_queries_do_not_affect_each_other():
    many = places(*CASES)
    for k in (1, 10):
        alone = [recall(places(case), k)[0] for case in CASES]
        assert recall(many, k) == pytest.approx(alone)
    assert reciprocal_rank(many) == pytest.approx([reciprocal_rank(places(c))[0] for c in CASES])


def test_a_tie_with_a_hundred_thousand_entries_is_worth_nothing():
    crowd = places((0, 100_000, 1))
    assert recall(crowd, 1)[0] == pytest.approx(1e-5)
    assert recall(crowd, 10)[0] == pytest.approx(1e-4)
    assert reciprocal_rank(crowd)[0] == pytest.approx(np.sum(1 / np.arange(1, 100_001)) / 1e5)


def thresholds(scores, right, positives):
    """Yield precision and recall above every threshold, computed the slow way."""
    for threshold in sorted(set(scores), reverse=True):
        accepted = [r for s, r in zip(scores, right, strict=True) if s >= threshold]
        yield sum(accepted) / len(accepted), sum(accepted) / positives


predictions = st.lists(
    st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=30
).flatmap(
    lambda found: st.tuples(st.just(found), st.integers(max(1, sum(r for _, r in found)), 40))
)


@given(predictions)
def test_average_precision_is_the_sum_over_thresholds(case):
    found, positives = case
    scores, right = (np.array(column) for column in zip(*found, strict=True))
    expected, before = 0.0, 0.0
    for precision, recalled in thresholds(scores, right, positives):
        expected += (recalled - before) * precision
        before = recalled
    assert average_precision(scores.astype(float), right, positives) == pytest.approx(expected)


@given(predictions, st.sampled_from([0.3, 0.5, 0.9, 1.0]))
def test_recall_at_precision_is_the_best_threshold(case, precision):
    found, positives = case
    scores, right = (np.array(column) for column in zip(*found, strict=True))
    reached = [r for p, r in thresholds(scores, right, positives) if p >= precision]
    expected = max(reached, default=0.0)
    found = recall_at_precision(scores.astype(float), right, positives, precision)
    assert found == pytest.approx(expected)


def test_average_precision_without_ties_is_the_textbook_one():
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    right = np.array([True, False, True, False])
    assert average_precision(scores, right, 3) == pytest.approx((1 + 2 / 3) / 3)


def test_average_precision_does_not_depend_on_the_order_of_predictions():
    generator = np.random.default_rng(0)
    scores, right = generator.integers(0, 9, 200).astype(float), generator.random(200) < 0.3
    order = generator.permutation(200)
    first = average_precision(scores, right, 70)
    assert average_precision(scores[order], right[order], 70) == first


def test_no_prediction_at_all():
    none = np.empty(0)
    assert average_precision(none, none.astype(bool), 3) == 0
    assert recall_at_precision(none, none.astype(bool), 3, 0.9) == 0


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=60), st.sampled_from([0, 0.01, 0.05, 0.1, 0.5])
)
def test_upper_value_is_the_least_threshold_few_enough_are_above(values, rate):
    array = np.array(values, float)
    found = upper_value(array, rate)
    assert np.mean(array > found) <= rate
    assert found in array
    lower = array[array < found]
    if len(lower):  # the next lower one would let too many through
        assert np.mean(array > lower.max()) > rate


def test_upper_value_of_the_largest_alone():
    values = np.random.default_rng(0).random(100_000)
    largest = np.sort(values)[-102:]
    for rate in (1e-3, 1e-4, 1e-5):
        assert upper_value(largest, rate, 100_000) == upper_value(values, rate)
    assert np.mean(values > upper_value(values, 1e-3)) == 1e-3


def test_recall_at_false_alarms_counts_right_answers_above_the_threshold():
    others = np.arange(1000) / 1000  # one in a thousand may be above: the threshold is .998
    copies = np.array([0.9985, 0.9985, 0.998, -np.inf])
    right = np.array([True, False, True, False])
    assert recall_at_false_alarms(copies, right, others, 1e-3) == 0.25
    assert np.isnan(recall_at_false_alarms(copies, right, np.empty(0), 1e-3))


def test_a_rate_of_less_than_one_query_is_not_stated():
    """About one query in a thousand exceeds the maximum of 999 scores; no lower rate is known."""
    copies, right = np.ones(4), np.ones(4, bool)
    others = np.zeros(1000)
    assert recall_at_false_alarms(copies, right, others, 1e-3) == 1
    assert np.isnan(recall_at_false_alarms(copies, right, others[1:], 1e-3))
    assert np.isnan(recall_at_false_alarms(copies, right, others, 1e-4))


def test_spread_leaves_the_unchanged_out():
    found = spread([40.0, 42.0, float("inf")])
    assert (found.mean, found.least, found.most) == (41, 40, 42)
    assert np.isnan(spread([]).mean)
