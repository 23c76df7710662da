"""Search through codebooks, and the figures that come of it, on vectors."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from homing.activation import find_method
from homing.activation.objectives.objective import Targets
from homing.bench.dataset.suites import find_suite
from homing.bench.measure.measured import share_closed
from homing.bench.questions import QUESTIONS, find_questions
from homing.bench.questions.adversary import WASHES, elsewhere, next_cell
from homing.bench.questions.cells import middles, nearest_cells
from homing.bench.questions.density import fitted_move
from homing.bench.report.outcome import spread
from homing.bench.search.engine import RANKED, Answered, Searcher, padded, settings_of
from homing.bench.search.exact import answer
from homing.bench.states.released import quality_of
from homing.bench.statistics.bootstrap import make_interval, resample
from homing.bench.statistics.measures import recall
from homing.codebooks import Codebook, train_codebook
from homing.errors import UsageError

DIMENSION = 32


def unit(count, seed):
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def codebook():
    return train_codebook(unit(2000, 0), "IVF8,PQ8x8")


def near(vectors, seed, much=0.1):
    moved = vectors + much * unit(len(vectors), seed)
    return (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)


def test_places_among_equal_scores():
    answered = Answered(
        np.array([[7, 3, 5, -1], [1, 2, 4, 6]]),
        np.array([[0.9, 0.5, 0.5, -np.inf], [0.8, 0.7, 0.6, 0.5]]),
        np.zeros((2, 4), np.float32),
    )
    places = answered.places(padded([np.array([5]), np.array([9])]))
    assert places.greater.tolist() == [1, 4]
    assert places.equal.tolist() == [2, 0]
    assert places.right.tolist() == [1, 0]
    assert recall(places, 2).tolist() == [0.5, 0]  # among two equal ones either may come second
    several = answered.places(padded([np.array([5, 3]), np.array([6, 2])]))
    assert recall(several, 2).tolist() == [1, 1]


def test_all_cells_re_ranked_is_exact_search(codebook):
    entries, others = unit(20, 1), unit(40, 2)  # fewer than are re-ranked
    engine = Searcher(codebook, others).engine(entries, seed=3)
    settings = {s.name: s for s in settings_of(codebook, (1, 8))}
    queries = near(entries, 4)
    found = engine.search(queries, settings["8 probes, re-ranked"])
    rows = np.argsort(-(queries @ np.concatenate([entries, others]).T), axis=1, kind="stable")
    assert np.array_equal(found.rows[:, :10], rows[:, :10])
    exact = answer(queries, np.concatenate([entries, others]), [np.array([n]) for n in range(20)])
    places = found.places(padded([np.array([n]) for n in range(20)]))
    assert places.greater.tolist() == exact.places.greater.tolist()


def test_one_probe_finds_only_what_is_in_the_cell(codebook):
    entries, others = unit(50, 5), unit(500, 6)
    engine = Searcher(codebook, others).engine(entries, seed=1)
    one = settings_of(codebook, (1,))
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


def test_the_order_of_equal_codes_favours_nobody(codebook):
    """A thousand entries that all have one code: the first is any of them."""
    same = np.repeat(unit(1, 8), 1000, axis=0)
    searcher = Searcher(codebook, same[100:])
    codes_only = settings_of(codebook, (1,))[0]
    first = [searcher.engine(same[:100], s).search(same[:1], codes_only).rows[0] for s in range(20)]
    share = np.mean([(rows < 100).mean() for rows in first])
    assert 0.05 < share < 0.2  # a tenth of the entries are the first hundred


def test_settings_are_named_once_each(codebook):
    assert [s.name for s in settings_of(codebook)] == [
        "1 probe", "1 probe, re-ranked", "4 probes (automatic)", "4 probes (automatic), re-ranked",
        "8 probes", "8 probes, re-ranked",
    ]  # fmt: skip
    flat = train_codebook(unit(2000, 0), "PQ8")
    assert [s.name for s in settings_of(flat)] == ["all codes", "all codes, re-ranked"]


def test_samples_of_one_generator_are_paired():
    values = np.random.default_rng(0).random((3, 40))
    first, second = (resample(v, np.random.default_rng(1)) for v in (values, values + 0.25))
    difference = make_interval(
        second.means[0] - first.means[0], second.samples[:, 0] - first.samples[:, 0]
    )
    assert difference.low == pytest.approx(0.25)
    assert difference.high == pytest.approx(0.25)
    mean, samples = first.over(np.array([0, 2]))
    assert mean == pytest.approx(values[[0, 2]].mean())
    assert samples == pytest.approx(first.samples[:, [0, 2]].mean(axis=1))


@dataclass
class Stub:
    """One figure, as share_closed reads it."""

    value: float

    def setting(self, probes, *, ranked):
        return 0

    def mean_samples(self, setting):
        return self.value, np.array([self.value, self.value + 0.01])


@pytest.mark.parametrize(
    ("before", "after", "best", "share"),
    [(0.5, 0.8, 0.9, 0.75), (0.5, 0.4, 0.9, -0.25), (0.5, 0.9, 0.9, 1.0)],
)
def test_share_of_the_loss_won_back(before, after, best, share):
    found = share_closed(Stub(before), Stub(after), Stub(best))
    assert found.mean == pytest.approx(share)
    assert found.low == pytest.approx(share)


def test_nothing_lost_is_nothing_won_back():
    found = share_closed(Stub(0.9), Stub(0.9), Stub(0.9))
    assert np.isnan([found.mean, found.low, found.high]).all()


@pytest.mark.parametrize("factory", ["IVF8,PQ8x8", "OPQ8,IVF8,PQ8x8", "IVF8,Flat"])
def test_an_adversary_pulls_into_the_second_nearest_cell(factory):
    codebook = train_codebook(unit(2000, 0), factory)
    vectors = unit(200, 9)
    rotation = codebook.arrays.get("rotation", np.eye(DIMENSION, dtype=np.float32))
    inner = vectors @ rotation.T
    distances = ((inner[:, None] - codebook.arrays["coarse"]) ** 2).sum(axis=2)
    second = np.argsort(distances, axis=1)[:, 1]
    assert codebook.cells(next_cell(codebook, vectors)).tolist() == second.tolist()
    assert codebook.cells(vectors).tolist() == distances.argmin(axis=1).tolist()


@pytest.mark.parametrize("factory", ["IVF8,PQ8x8", "OPQ8,IVF8,PQ8x8"])
def test_the_nearest_cells_of_a_vector(factory):
    codebook = train_codebook(unit(2000, 0), factory)
    vectors = unit(5000, 9)  # more than a block
    rotation = codebook.arrays.get("rotation", np.eye(DIMENSION, dtype=np.float32))
    distances = (((vectors @ rotation.T)[:, None] - codebook.arrays["coarse"]) ** 2).sum(axis=2)
    near = nearest_cells(codebook, vectors, 3)
    assert near.tolist() == np.argsort(distances, axis=1)[:, :3].tolist()
    assert near[:, 0].tolist() == codebook.cells(vectors).tolist()


@pytest.mark.parametrize("name", ["paper", "robust"])
def test_any_method_can_be_turned_against_its_cell(codebook, name):
    method = elsewhere(find_method(name))
    vectors = unit(20, 9)
    objective = method.objective(
        Targets.in_own_cells(codebook, vectors), method.settings, torch.device("cpu")
    )
    there = next_cell(codebook, vectors)
    there /= np.linalg.norm(there, axis=1, keepdims=True)
    change = torch.zeros(20, 3, 4, 4)
    assert (
        objective(torch.from_numpy(there), change) < objective(torch.from_numpy(vectors), change)
    ).all()


def middles_of_own(codebook, vectors):
    return middles(codebook, codebook.cells(vectors))


@pytest.mark.parametrize(
    ("goals", "name"),
    [(Codebook.target, "the codebook's target"), (middles_of_own, "the middle of their cell")],
)
def test_vectors_move_where_and_as_far_as_pictures_did(codebook, goals, name):
    before = unit(300, 10)
    lengths = np.linalg.norm(goals(codebook, before), axis=1, keepdims=True)
    towards = goals(codebook, before) / lengths
    for strength in (0.2, 0.6):
        after = before + strength * (towards - before)
        after /= np.linalg.norm(after, axis=1, keepdims=True)
        move = fitted_move(before, after, codebook)
        assert move.name == name
        assert move.strength == pytest.approx(strength, abs=1e-3)
        assert np.allclose(move.of(codebook, before), after, atol=1e-3)
    assert fitted_move(before, before, codebook).strength == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("factory", ["IVF8,PQ8x8", "OPQ8,IVF8,PQ8x8"])
def test_the_middle_of_a_cell_is_in_it(factory):
    codebook = train_codebook(unit(2000, 0), factory)
    cells = np.arange(8, dtype=np.int32)
    assert codebook.cells(middles(codebook, cells)).tolist() == cells.tolist()


def test_quality_of_pixels():
    a = np.full((20, 30, 3), 100, np.uint8)
    b = a.copy()
    b[3, 4, 1] = 90
    found = quality_of(a, b, peak=255)
    assert found.largest == 10
    assert found.psnr == pytest.approx(10 * np.log10(255**2 * a.size / 100))
    assert quality_of(a, a, peak=255).ssim == pytest.approx(1)
    wide = quality_of(a.astype(np.uint16) * 257, b.astype(np.uint16) * 257, peak=65535)
    assert wide.largest == pytest.approx(10)


def test_spread_leaves_the_unchanged_out():
    found = spread([40.0, 42.0, float("inf")])
    assert (found.mean, found.least, found.most) == (41, 40, 42)
    assert np.isnan(spread([]).mean)


def test_suites():
    paper, sweep, full = (find_suite(name) for name in ("paper", "sweep", "full"))
    assert sum(edit.in_mean for edit in paper.edits) == 14
    assert sum(edit.in_mean for edit in full.edits) == 14
    assert all(edit.in_mean for edit in sweep.edits)
    names = [edit.name for edit in full.edits]
    assert len(set(names)) == len(names)
    for _, strengths in full.sweeps.items():
        assert {name for _, name in strengths} <= set(names)
    with pytest.raises(UsageError, match="no suite"):
        find_suite("none")
    with pytest.raises(UsageError, match="same name"):
        find_suite("paper", [paper.edits[0]])


def test_questions_by_name():
    assert find_questions("none") == ()
    assert find_questions("budgets, lossy") == ("budgets", "lossy")
    assert find_questions("all") == tuple(QUESTIONS)
    with pytest.raises(UsageError, match="nonsense"):
        find_questions("budgets,nonsense")


def test_washing_keeps_the_size_and_changes_the_picture(make_noise):
    image = make_noise(3)
    mild, hard = (np.asarray(edit.apply(image, np.random.default_rng(0)), float) for edit in WASHES)
    original = np.asarray(image, float)
    assert mild.shape == original.shape
    assert 0 < np.abs(mild - original).mean() < np.abs(hard - original).mean()
