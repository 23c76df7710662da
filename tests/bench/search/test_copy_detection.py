"""Copy detection on vectors whose answers are known."""

import numpy as np
import pytest

from homing.bench.search.copy_detection import DetectionQueries, predict, score_predictions
from tests.helpers.bench import random_unit_vectors


def near(generator, vectors, noise):
    found = vectors + noise * random_unit_vectors(generator, *vectors.shape)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def world():
    generator = np.random.default_rng(0)
    base, scale = random_unit_vectors(generator, 300, 32), random_unit_vectors(generator, 60, 32)
    copies = near(generator, base[:80], 0.5)
    strange = random_unit_vectors(generator, 1000, 32)
    return base, scale, copies, strange


def predictions(world, known=None, ignored=None, blank=None):
    base, scale, copies, strange = world
    queries = DetectionQueries(
        np.concatenate([copies, strange]),
        (known or [np.array([n]) for n in range(80)]) + (ignored or [np.empty(0, int)] * 1000),
        np.arange(1080) < 80,
        np.concatenate([np.arange(80), np.arange(1000) // 4]),
        np.zeros(1080, bool) if blank is None else blank,
        scale,
    )
    return predict(queries, base, np.random.default_rng(0))


def test_copies_are_separated_from_others(world):
    found = score_predictions(predictions(world), np.random.default_rng(0))
    assert (found.copies, found.others) == (80, 1000)
    for scores in (found.normalised, found.raw):
        assert scores.micro_average_precision.mean > 0.95
        assert scores.recall_at_precision_90 > 0.95
        low, high = scores.micro_average_precision.low, scores.micro_average_precision.high
        assert low <= scores.micro_average_precision.mean <= high
        assert scores.recall_at_false_alarms_1e3 > 0.9
        assert np.isnan(scores.recall_at_false_alarms_1e4)  # a tenth of a query


def test_random_vectors_detect_nothing(world):
    base, scale, copies, strange = world
    lost = random_unit_vectors(np.random.default_rng(5), *copies.shape)
    found = score_predictions(predictions((base, scale, lost, strange)), np.random.default_rng(0))
    assert found.normalised.micro_average_precision.mean < 0.05


def test_scores_are_less_the_mean_of_the_three_nearest_of_the_scale(world):
    base, scale, copies, _ = world
    found = predictions(world)
    expected = np.sort(copies @ scale.T, axis=1)[:, -3:].mean(axis=1)
    assert found.norm[:80] == pytest.approx(expected, abs=1e-6)
    assert found.similarity[:80, 0] == pytest.approx((copies @ base.T).max(axis=1), abs=1e-6)


def test_a_query_that_resembles_everything_is_normalised_away():
    """A picture without a match is equally near to all of the base and of the scale."""
    generator = np.random.default_rng(0)
    hub = random_unit_vectors(generator, 1, 64)
    base = near(generator, np.repeat(hub, 100, axis=0), 1.0)
    scale = near(generator, np.repeat(hub, 50, axis=0), 1.0)
    copies = near(generator, base[:40], 0.9)
    queries = DetectionQueries(
        np.concatenate([copies, np.repeat(hub, 1000, axis=0)]),
        [np.array([n]) for n in range(40)] + [np.empty(0, int)] * 1000,
        np.arange(1040) < 40, np.concatenate([np.arange(40), np.arange(1000)]),
        np.zeros(1040, bool), scale,
    )  # fmt: skip
    found = predict(queries, base, np.random.default_rng(0))
    scores = score_predictions(found, np.random.default_rng(0))
    normalised, raw = scores.normalised, scores.raw
    assert normalised.recall_at_false_alarms_1e3 > raw.recall_at_false_alarms_1e3 + 0.2


def test_queries_that_show_nothing_raise_no_alarm_and_are_not_found(world):
    base, scale, copies, strange = world
    strange = np.concatenate([np.repeat(base[200:201], 20, axis=0), strange[20:]])  # black, say
    blank = np.zeros(1080, bool)
    world = base, scale, copies, strange
    alarmed = score_predictions(predictions(world), np.random.default_rng(0))
    assert alarmed.raw.recall_at_false_alarms_1e3 == 0
    blank[80:100] = True
    blank[:8] = True
    found = score_predictions(predictions(world, blank=blank), np.random.default_rng(0))
    assert (found.copies, found.others, found.blank) == (80, 1000, 28)
    assert 0.8 < found.raw.recall_at_false_alarms_1e3 <= 0.9
    assert found.raw.micro_average_precision.mean == pytest.approx(0.9)


def test_true_near_duplicates_are_neither_right_twice_nor_wrong(world):
    base, scale, copies, strange = world
    base = np.concatenate([base, base[:80], strange[:4]])
    duplicates = [np.array([n, 300 + n]) for n in range(80)]
    world = (base, scale, copies, strange)
    ignored = [np.array([380 + n]) for n in range(4)] + [np.empty(0, int)] * 996
    with_duplicates = score_predictions(
        predictions(world, duplicates, ignored), np.random.default_rng(0)
    )
    without = score_predictions(predictions(world), np.random.default_rng(0))
    assert with_duplicates.raw.micro_average_precision.mean > 0.95
    assert with_duplicates.raw.recall_at_false_alarms_1e3 > 0.9
    assert without.raw.micro_average_precision.mean < 0.8
    # The near duplicate of a picture without a match, at similarity 1, is no false alarm.
    assert without.raw.recall_at_false_alarms_1e3 == 0


def test_a_query_that_finds_only_near_duplicates_does_not_count_as_one_without_alarm(world):
    base, scale, copies, strange = world
    base = np.concatenate([base, np.repeat(strange[:1], 10, axis=0)])
    world = (base, scale, copies, strange)
    ignored = [np.arange(300, 310)] + [np.empty(0, int)] * 999
    found = score_predictions(predictions(world, ignored=ignored), np.random.default_rng(0))
    assert (found.copies, found.others, found.left_out) == (80, 999, 1)
    assert np.isnan(found.raw.recall_at_false_alarms_1e3)
    nine = [np.arange(300, 309)] + [np.empty(0, int)] * 999  # the tenth is a false alarm
    found = score_predictions(predictions(world, ignored=nine), np.random.default_rng(0))
    assert (found.others, found.left_out) == (1000, 0)
