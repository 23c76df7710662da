"""Searches of vectors through codebooks."""

import numpy as np

from homing.bench.search.engine import RANKED, Hits, Searcher, search_settings
from homing.bench.search.exact import pad_rows, search_exact
from homing.bench.statistics.measures import recall
from homing.codebooks import train_codebook
from tests.helpers.bench import seeded_unit_vectors


def near(vectors, seed, noise=0.1):
    moved = vectors + noise * seeded_unit_vectors(len(vectors), seed)
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def test_places_among_equal_scores():
    hits = Hits(
        np.array([[7, 3, 5, -1], [1, 2, 4, 6]]),
        np.array([[0.9, 0.5, 0.5, -np.inf], [0.8, 0.7, 0.6, 0.5]]),
        np.zeros((2, 4), np.float32),
        np.ones(2, np.int64),
    )
    places = hits.places(pad_rows([np.array([5]), np.array([9])]))
    assert places.greater.tolist() == [1, 4]
    assert places.equal.tolist() == [2, 0]
    assert places.right.tolist() == [1, 0]
    assert recall(places, 2).tolist() == [0.5, 0]  # among two equal ones either may come second
    several = hits.places(pad_rows([np.array([5, 3]), np.array([6, 2])]))
    assert recall(several, 2).tolist() == [1, 1]


def test_all_cells_re_ranked_is_exact_search(codebook):
    entries, others = (
        seeded_unit_vectors(20, 1),
        seeded_unit_vectors(40, 2),
    )  # fewer than are re-ranked
    engine = Searcher(codebook, others).engine(entries, seed=3)
    settings = {s.name: s for s in search_settings(codebook, (1, 8))}
    queries = near(entries, 4)
    found = engine.search(queries, settings["8 probes, re-ranked"])
    rows = np.argsort(-(queries @ np.concatenate([entries, others]).T), axis=1, kind="stable")
    assert np.array_equal(found.rows[:, :10], rows[:, :10])
    exact = search_exact(
        queries, np.concatenate([entries, others]), [np.array([n]) for n in range(20)]
    )
    places = found.places(pad_rows([np.array([n]) for n in range(20)]))
    assert places.greater.tolist() == exact.places.greater.tolist()


def test_one_probe_finds_only_what_is_in_the_cell(codebook):
    entries, others = seeded_unit_vectors(50, 5), seeded_unit_vectors(500, 6)
    engine = Searcher(codebook, others).engine(entries, seed=1)
    one = search_settings(codebook, (1,))
    queries = near(entries, 7)
    cells = codebook.cells(queries)
    for setting in one:
        found = engine.search(queries, setting)
        there = found.rows >= 0
        assert (engine.cells[found.rows, 0] == cells[:, None])[there].all()
        assert np.isneginf(found.scores[~there]).all()
        assert (found.scores[:, 1:] <= found.scores[:, :-1]).all()
    ranked = engine.search(queries, one[1])
    assert np.isfinite(ranked.similarity[ranked.rows >= 0][:RANKED]).all()


def test_the_order_of_equal_codes_favours_no_entry(codebook):
    """Of a thousand entries with one code, each is as likely as any to come first."""
    same = np.repeat(seeded_unit_vectors(1, 8), 1000, axis=0)
    searcher = Searcher(codebook, same[100:])
    codes_only = search_settings(codebook, (1,))[0]
    first = [searcher.engine(same[:100], s).search(same[:1], codes_only).rows[0] for s in range(20)]
    share = np.mean([(rows < 100).mean() for rows in first])
    assert 0.05 < share < 0.2  # a tenth of the entries are the first hundred


def test_settings_are_named_once_each(codebook):
    assert [s.name for s in search_settings(codebook)] == [
        "1 probe", "1 probe, re-ranked", "4 probes (automatic)", "4 probes (automatic), re-ranked",
        "8 probes", "8 probes, re-ranked",
    ]  # fmt: skip
    flat = train_codebook(seeded_unit_vectors(2000, 0), "PQ8")
    assert [s.name for s in search_settings(flat)] == ["all codes", "all codes, re-ranked"]
