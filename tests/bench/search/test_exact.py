"""Exact searches of vectors."""

import numpy as np
import pytest

from homing.bench.search import exact
from homing.bench.search.exact import nearest_entries, search_exact
from homing.bench.statistics.measures import recall
from tests.helpers.bench import random_unit_vectors


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(exact, "_BLOCK_BYTES", 4 * 50 * 7)


def test_places_are_those_of_a_sort(small_blocks):
    generator = np.random.default_rng(0)
    base, queries = random_unit_vectors(generator, 50, 16), random_unit_vectors(generator, 30, 16)
    right = [np.array([n, *generator.choice(50, n % 4, replace=False)]) for n in range(30)]
    done = []
    found = search_exact(queries, base, right, done.append)
    assert sum(done) == 30
    similarities = queries @ base.T
    for n, rows in enumerate(right):
        best = similarities[n, rows].max()
        assert found.places.greater[n] == np.sum(similarities[n] > best)
        assert found.strict.greater[n] == np.sum(similarities[n] > similarities[n, n])
        assert (found.places.equal[n], found.strict.right[n]) == (1, 1)
        assert found.nearest[n] == similarities[n].argmax()
        assert found.right[n] == pytest.approx(best, abs=1e-6)


def test_equals_are_counted_and_a_near_duplicate_among_them_is_right():
    base = np.eye(4, dtype=np.float32)[[0, 0, 0, 1]]
    found = search_exact(base[:1], base, [np.array([0, 2])])
    assert (found.places.greater[0], found.places.equal[0], found.places.right[0]) == (0, 3, 2)
    assert found.strict.right[0] == 1
    assert recall(found.places, 1)[0] == pytest.approx(2 / 3)
    assert recall(found.strict, 1)[0] == pytest.approx(1 / 3)


def test_nearest_are_those_of_a_sort(small_blocks):
    generator = np.random.default_rng(0)
    base, queries = random_unit_vectors(generator, 50, 16), random_unit_vectors(generator, 20, 16)
    rows, similarities = nearest_entries(queries, base, 5, generator)
    assert rows.tolist() == np.argsort(-(queries @ base.T), axis=1)[:, :5].tolist()
    assert similarities == pytest.approx(np.take_along_axis(queries @ base.T, rows, 1), abs=1e-6)


def test_nearest_favours_no_place_among_equals():
    base = np.ones((40, 4), np.float32) / 2
    seen = {
        int(nearest_entries(base[:1], base, 1, np.random.default_rng(seed))[0][0, 0])
        for seed in range(60)
    }
    assert len(seen) > 20


def test_nearest_of_little_is_all_there_is():
    base = np.eye(3, dtype=np.float32)
    rows, _ = nearest_entries(base, base, 9, np.random.default_rng(0))
    assert rows.shape == (3, 3)
    assert nearest_entries(base, base[:0], 9, np.random.default_rng(0))[0].shape == (3, 0)
