"""Copy detection and false matches on vectors whose answers are known."""

import numpy as np
import pytest

from homing.bench.measure.scoring import false_matches, recall_figures
from homing.bench.search.copy_detection import Detection, detect_copies, predict
from homing.bench.search.exact import answer
from homing.edits import make_edit


def unit(generator, *shape):
    vectors = generator.standard_normal(shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def near(generator, vectors, noise):
    found = vectors + noise * unit(generator, *vectors.shape)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


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
    answers = answer(queries[made], base, [right[p] for p in pictures[made]])
    figures = recall_figures(answers, made, edits, rows, np.random.default_rng(0))
    easy, hard, shown = figures.edits
    assert (easy.recall_1.mean, easy.queries, easy.errors) == (1, 2, 0)
    # The first picture is found in one draw of two; of the second's, one failed, one is missed.
    assert (hard.recall_1.mean, hard.queries, hard.errors) == (0.25, 3, 1)
    assert (shown.recall_1.mean, shown.in_mean) == (0, False)
    assert figures.mean.recall_1.mean == pytest.approx((1 + 0.25) / 2)
    assert (figures.mean.edit, figures.mean.errors) == ("mean of 2", 1)


def test_with_and_without_twins():
    base = np.eye(3, dtype=np.float32)
    queries = base[[1, 1]]  # the first picture is answered by its twin
    answers = answer(queries, base, [np.array([0, 1]), np.array([1, 0])])
    figures = recall_figures(
        answers, np.ones(2, bool), EDITS[:1], [np.array([[0, 1]])], np.random.default_rng(0)
    )
    assert figures.mean.recall_1.mean == 1
    assert figures.mean.strict_1.mean == 0.5


@pytest.fixture
def world():
    generator = np.random.default_rng(0)
    base, scale = unit(generator, 300, 32), unit(generator, 60, 32)
    copies = near(generator, base[:80], 0.5)
    strange = unit(generator, 1000, 32)
    return base, scale, copies, strange


def predictions(world, known=None, ignored=None, blank=None):
    base, scale, copies, strange = world
    asked = Detection(
        np.concatenate([copies, strange]),
        (known or [np.array([n]) for n in range(80)]) + (ignored or [np.empty(0, int)] * 1000),
        np.arange(1080) < 80,
        np.concatenate([np.arange(80), np.arange(1000) // 4]),
        np.zeros(1080, bool) if blank is None else blank,
        scale,
    )
    return predict(asked, base, np.random.default_rng(0))


def test_copies_are_told_from_others(world):
    found = detect_copies(predictions(world), np.random.default_rng(0))
    assert (found.copies, found.others) == (80, 1000)
    for scores in (found.normalised, found.raw):
        assert scores.micro_average_precision.mean > 0.95
        assert scores.recall_at_precision_90 > 0.95
        low, high = scores.micro_average_precision.low, scores.micro_average_precision.high
        assert low <= scores.micro_average_precision.mean <= high
        assert scores.recall_at_false_alarms_1e3 > 0.9
        assert np.isnan(scores.recall_at_false_alarms_1e4)  # a tenth of a query


def test_vectors_of_nothing_tell_nothing(world):
    base, scale, copies, strange = world
    lost = unit(np.random.default_rng(5), *copies.shape)
    found = detect_copies(predictions((base, scale, lost, strange)), np.random.default_rng(0))
    assert found.normalised.micro_average_precision.mean < 0.05


def test_scores_are_less_the_mean_of_the_three_nearest_of_the_scale(world):
    base, scale, copies, _ = world
    found = predictions(world)
    expected = np.sort(copies @ scale.T, axis=1)[:, -3:].mean(axis=1)
    assert found.norm[:80] == pytest.approx(expected, abs=1e-6)
    assert found.similarity[:80, 0] == pytest.approx((copies @ base.T).max(axis=1), abs=1e-6)


def test_a_query_that_resembles_everything_is_normalised_away():
    """One picture without a match lies near all of the base, and of the scale, alike."""
    generator = np.random.default_rng(0)
    hub = unit(generator, 1, 64)
    base = near(generator, np.repeat(hub, 100, axis=0), 1.0)
    scale = near(generator, np.repeat(hub, 50, axis=0), 1.0)
    copies = near(generator, base[:40], 0.9)
    asked = Detection(
        np.concatenate([copies, np.repeat(hub, 1000, axis=0)]),
        [np.array([n]) for n in range(40)] + [np.empty(0, int)] * 1000,
        np.arange(1040) < 40, np.concatenate([np.arange(40), np.arange(1000)]),
        np.zeros(1040, bool), scale,
    )  # fmt: skip
    found = predict(asked, base, np.random.default_rng(0))
    scores = detect_copies(found, np.random.default_rng(0))
    normalised, raw = scores.normalised, scores.raw
    assert normalised.recall_at_false_alarms_1e3 > raw.recall_at_false_alarms_1e3 + 0.2


def test_queries_that_show_nothing_raise_no_alarm_and_are_not_found(world):
    base, scale, copies, strange = world
    strange = np.concatenate([np.repeat(base[200:201], 20, axis=0), strange[20:]])  # black, say
    blank = np.zeros(1080, bool)
    world = base, scale, copies, strange
    alarmed = detect_copies(predictions(world), np.random.default_rng(0))
    assert alarmed.raw.recall_at_false_alarms_1e3 == 0
    blank[80:100] = True
    blank[:8] = True
    found = detect_copies(predictions(world, blank=blank), np.random.default_rng(0))
    assert (found.copies, found.others, found.blank) == (80, 1000, 28)
    assert 0.8 < found.raw.recall_at_false_alarms_1e3 <= 0.9
    assert found.raw.micro_average_precision.mean == pytest.approx(0.9)


def test_true_twins_are_neither_right_twice_nor_wrong(world):
    base, scale, copies, strange = world
    base = np.concatenate([base, base[:80], strange[:4]])
    twins = [np.array([n, 300 + n]) for n in range(80)]
    told = (base, scale, copies, strange)
    ignored = [np.array([380 + n]) for n in range(4)] + [np.empty(0, int)] * 996
    with_twins = detect_copies(predictions(told, twins, ignored), np.random.default_rng(0))
    without = detect_copies(predictions(told), np.random.default_rng(0))
    assert with_twins.raw.micro_average_precision.mean > 0.95
    assert with_twins.raw.recall_at_false_alarms_1e3 > 0.9
    assert without.raw.micro_average_precision.mean < 0.8
    # A stranger's own twin, at similarity 1, is no false alarm.
    assert without.raw.recall_at_false_alarms_1e3 == 0


def test_a_query_of_which_only_twins_are_seen_is_no_query_without_alarm(world):
    base, scale, copies, strange = world
    base = np.concatenate([base, np.repeat(strange[:1], 10, axis=0)])
    told = (base, scale, copies, strange)
    ignored = [np.arange(300, 310)] + [np.empty(0, int)] * 999
    found = detect_copies(predictions(told, ignored=ignored), np.random.default_rng(0))
    assert (found.copies, found.others, found.left_out) == (80, 999, 1)
    assert np.isnan(found.raw.recall_at_false_alarms_1e3)
    nine = [np.arange(300, 309)] + [np.empty(0, int)] * 999  # the tenth is a false alarm
    found = detect_copies(predictions(told, ignored=nine), np.random.default_rng(0))
    assert (found.others, found.left_out) == (1000, 0)


def test_false_matches_are_quantiles_of_all_pairs():
    generator = np.random.default_rng(0)
    others = unit(generator, 400, 16)
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


def test_a_share_of_one_pair_is_told_and_of_less_is_not():
    others = unit(np.random.default_rng(0), 1001, 8)
    left_out = [np.array([n]) for n in range(100)]
    found = false_matches(others[:100], others, left_out)
    similarity = others[:100] @ others.T
    similarity[np.arange(100), np.arange(100)] = -1
    assert found.pairs == 100_000
    assert found.above_1e5 == pytest.approx(np.sort(similarity, axis=None)[-2], abs=1e-6)
    fewer = false_matches(others[:9], others[:1001], left_out[:9])
    assert (fewer.pairs, np.isnan(fewer.above_1e4)) == (9000, True)
