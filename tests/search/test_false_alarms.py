"""False-alarm rates as stated, against those observed on vectors that match nothing."""

import numpy as np
import pytest

from homing.errors import UsageError
from homing.search.false_alarms import fit_tail, near_duplicate_limit

DIMENSION = 48


def scene(count: int, seed: int, *, inner: int = 14) -> np.ndarray:
    """Return unit vectors near a curved surface of fewer dimensions, denser in some regions."""
    world = np.random.default_rng(5)  # the same surface for all
    bend, shift = world.standard_normal((inner, DIMENSION)), world.standard_normal(DIMENSION)
    rng = np.random.default_rng(seed)
    places = rng.standard_normal((count, inner)) * rng.gamma(4, 0.25, (count, 1))
    vectors = np.tanh(0.5 * places @ bend) + 0.3 * shift
    vectors += 0.03 * rng.standard_normal(vectors.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def nearest(queries: np.ndarray, entries: np.ndarray, count: int = 16) -> np.ndarray:
    parts = []
    for first in range(0, len(queries), 2000):
        alike = queries[first : first + 2000] @ entries.T
        parts.append(-np.sort(-np.partition(alike, -count, axis=1)[:, -count:], axis=1))
    return np.concatenate(parts)


def among_themselves(entries: np.ndarray) -> np.ndarray:
    return nearest(entries, entries)[:, 1:]  # each is its own nearest


def highest_background(similarity: np.ndarray) -> np.ndarray:
    """Return the highest similarity of each query to an entry that is no near-duplicate of it."""
    below = np.where(similarity < near_duplicate_limit(similarity), similarity, -np.inf)
    highest = below.max(axis=1)
    return highest[np.isfinite(highest)]


@pytest.mark.parametrize(("count", "cautious"), [(400, 4), (2000, 2)])
def test_stated_rates_hold_on_queries_not_seen(count, cautious) -> None:
    """Within a factor of two; the mean over five archives, as one alone is a matter of chance.

    With few entries rates are uncertain, which counts against a verdict: there are fewer false
    alarms then.
    """
    observed = []
    for seed in range(5):
        entries = scene(count, seed)
        tail = fit_tail(highest_background(among_themselves(entries)), entries=count)
        queries = scene(10_000, 100 + seed)
        rates = tail.rate(nearest(queries, entries, 1)[:, 0], entries=count)
        observed.append([(rates <= stated).mean() for stated in (1e-2, 1e-3)])
    for stated, seen in zip((1e-2, 1e-3), np.mean(observed, axis=0), strict=True):
        assert stated / cautious <= seen <= stated * 2, observed


def test_rates_account_for_an_archive_that_has_grown() -> None:
    entries = scene(3000, 1)
    small = fit_tail(highest_background(among_themselves(entries[:2000])), entries=2000)
    highest = nearest(scene(20_000, 2), entries, 1)[:, 0]
    observed = (small.rate(highest, entries=3000) <= 1e-2).mean()
    assert 0.5e-2 <= observed <= 2e-2


def test_near_duplicates_in_the_archive_change_the_verdict_little() -> None:
    entries = scene(2000, 3)
    rng = np.random.default_rng(0)
    copies = entries[:600] + 0.02 * rng.standard_normal((600, DIMENSION)).astype(np.float32)
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    together = np.concatenate([entries, copies])
    clean = fit_tail(highest_background(among_themselves(entries)), entries=2000)
    mixed = fit_tail(highest_background(among_themselves(together)), entries=2600)
    places = np.quantile(highest_background(among_themselves(entries)), [0.9, 0.99, 0.999])
    ratio = mixed.rate(places, entries=2600) / clean.rate(places, entries=2600)
    assert ((ratio > 0.5) & (ratio < 2)).all(), ratio


def test_rates_fall_with_similarity_and_grow_with_entries_and_views() -> None:
    tail = fit_tail(highest_background(among_themselves(scene(1000, 4))), entries=1000)
    places = np.linspace(-1, 1, 401)
    rates = tail.rate(places, entries=1000)
    assert (np.diff(rates) <= 1e-12).all()
    assert rates[0] == 1
    assert 0 <= rates[-1] < 1e-12
    for rate in (0.9, 0.35, 0.1, 1e-2, 1e-4, 1e-6):
        assert tail.rate(tail.similarity(rate), entries=1000)[0] == pytest.approx(rate)
    assert tail.rate(tail.threshold, entries=1000)[0] == pytest.approx(tail.share)
    few, many = (tail.rate(0.99, entries=n)[0] for n in (1000, 100_000))
    assert many == pytest.approx(100 * few, rel=0.02)
    assert tail.rate(0.99, entries=1000, views=8)[0] == pytest.approx(8 * few, rel=0.01)
    assert tail.rate(places, entries=10**9, views=21).max() <= 1


def test_too_few_say_nothing() -> None:
    with pytest.raises(UsageError, match="200"):
        fit_tail(np.linspace(0, 0.5, 199), entries=10)
    with pytest.raises(UsageError):
        fit_tail([], entries=0)


def test_entries_that_are_all_alike_leave_no_background() -> None:
    assert len(highest_background(np.full((300, 5), 0.999, np.float32))) == 0
    assert len(highest_background(np.full((300, 5), -np.inf, np.float32))) == 0
    equal = highest_background(np.full((300, 5), 0.5, np.float32))
    tail = fit_tail(equal, entries=300)  # nothing spreads, and yet nothing breaks
    assert np.isfinite(tail.rate([0.4, 0.5, 0.9, 1.0], entries=300)).all()


def test_no_rate_is_stated_that_no_observation_supports() -> None:
    values = np.random.default_rng(0).uniform(0.2, 0.6, 1000)
    assert fit_tail(values, entries=500).least == pytest.approx(1e-5)
