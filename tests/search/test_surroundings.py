"""How far hits stand out: stated rates against those observed, where density differs."""

import numpy as np
import pytest

from homing.search.surroundings import (
    NEIGHBOURS,
    ContrastTail,
    Surroundings,
    surroundings,
    surroundings_of_first,
)


def scattered(count: int, seed: int, width: float, dimensions: int, place: int) -> np.ndarray:
    """Return unit vectors scattered in some dimensions around one place, the nearer the smaller."""
    world = np.random.default_rng(place)
    axes, centre = world.standard_normal((dimensions, 64)), world.standard_normal(64)
    noise = np.random.default_rng(seed).standard_normal((count, dimensions))
    vectors = centre / np.linalg.norm(centre) + width * noise @ axes / 8
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def photos(count: int, seed: int) -> np.ndarray:
    return scattered(count, seed, 0.5, 14, 1)


def pages(count: int, seed: int) -> np.ndarray:
    """Return vectors of which each two are as near as copies are among the photographs."""
    return scattered(count, seed, 0.06, 8, 2)


def first_hits(queries: np.ndarray, entries: np.ndarray, others=None) -> Surroundings:
    itself = queries is entries
    alike = queries @ entries.T
    if itself:
        np.fill_diagonal(alike, -np.inf)
    best = np.argsort(-alike, axis=1)[:, :NEIGHBOURS]
    among = np.matmul(entries[best], entries[best].transpose(0, 2, 1))
    beside = np.empty((len(queries), 0), np.float32) if others is None else queries @ others.T
    return surroundings_of_first(np.take_along_axis(alike, best, axis=1), among, beside)


def fit(entries: np.ndarray) -> ContrastTail:
    tail = ContrastTail.fit(first_hits(entries, entries))
    assert tail is not None
    return tail


def test_stated_rates_hold_in_dense_regions_and_in_others() -> None:
    """Of an archive of both; by similarity alone, every page would be a copy."""
    observed = []
    for seed in range(4):
        entries = np.concatenate([photos(700, seed), pages(500, seed)])
        tail = fit(entries)
        queries = (photos(5000, 50 + seed), pages(5000, 60 + seed))
        rates = [tail.rate(first_hits(each, entries)) for each in queries]
        observed.append([[(r <= stated).mean() for stated in (1e-1, 1e-2)] for r in rates])
    for seen in np.mean(observed, axis=0):
        assert 0.05 <= seen[0] <= 0.2, observed
        assert 0.004 <= seen[1] <= 0.02, observed


def test_copies_stand_out_in_both() -> None:
    entries = np.concatenate([photos(700, 0), pages(500, 0)])
    tail = fit(entries)
    noise = np.random.default_rng(1).standard_normal(entries.shape)
    spread = np.r_[np.full(700, 0.015), np.full(500, 0.0015)][:, None]
    copies = (entries + spread * noise).astype(np.float32)
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    rates = tail.rate(first_hits(copies, entries))
    assert (rates[:700] <= 1e-3).mean() > 0.9
    assert (rates[700:] <= 1e-3).mean() > 0.9


def test_pages_of_the_background_surround_a_page_where_the_archive_has_but_one() -> None:
    entries = np.concatenate([photos(700, 0), pages(1, 0)])
    tail, query = fit(entries), pages(50, 9)
    assert (tail.rate(first_hits(query, entries)) < 1e-6).all()
    beside = first_hits(query, entries, others=pages(300, 5))
    assert (tail.rate(beside) > 1e-2).mean() > 0.9
    assert (beside.entries < 0.2).all()


def test_near_duplicates_of_a_hit_do_not_crowd_it() -> None:
    entries = photos(500, 0)
    twin = entries[:1] + np.float32(1e-4)
    together = np.concatenate([entries, twin / np.linalg.norm(twin)])
    query = entries[:1] + 0.02 * np.random.default_rng(0).standard_normal((1, 64))
    query = (query / np.linalg.norm(query)).astype(np.float32)
    alone, twins = first_hits(query, entries), first_hits(query, together)
    assert twins.lead == pytest.approx(alone.lead, rel=0.01)


def test_hits_are_measured_one_by_one_and_unknown_where_there_is_nothing() -> None:
    entries = photos(NEIGHBOURS, 0)
    alike = np.sort(entries[:2] @ photos(NEIGHBOURS, 1).T, axis=1)[:, ::-1].copy()
    alike[1, 3:] = -np.inf
    among = np.broadcast_to(entries @ entries.T, (2, NEIGHBOURS, NEIGHBOURS))
    found = surroundings(alike, among, np.empty((2, 0), np.float32))
    assert found.lead.shape == found.spacing.shape == (2, 10)
    assert np.isfinite(found.lead[0]).all()
    assert np.isnan(found.lead[1, 3:]).all()
    assert np.isfinite(found.lead[1, :3]).all()
    assert np.isnan(found.spacing[1]).all()  # three are too few
    assert found.contrast(0.1)[0, 0] > 0 > found.contrast(0.1)[0, 1]  # behind the first
    rows = found.rows(slice(0, 2), 12)
    assert rows.lead.shape == (24,)
    assert np.isnan(rows.lead[10:12]).all()
    assert np.isnan(surroundings(alike[:, :1], among[:, :1, :1], np.empty((2, 0), "f4")).lead).all()


def test_rates_are_unknown_where_too_little_is_known() -> None:
    nothing = Surroundings(*np.full((3, 300), np.nan, np.float32))
    assert ContrastTail.fit(nothing) is None
    assert ContrastTail.fit(first_hits(photos(150, 0), photos(300, 1))) is None
    assert np.isnan(fit(photos(300, 0)).rate(nothing)).all()


def test_more_chances_count() -> None:
    tail = fit(photos(500, 0))
    hits = first_hits(photos(50, 3), photos(500, 0))
    once, often = tail.rate(hits), tail.rate(hits, 8)
    rare = once < 1e-2
    np.testing.assert_allclose(often[rare], 8 * once[rare], rtol=0.05)
    assert (often >= once).all()
