"""The combined engine: cells to visit, query by query."""

import itertools

import numpy as np
import pytest

import homing
from homing.errors import UsageError
from homing.search.engines import combined
from homing.search.engines.combined import NEAR, NEAR_STAGES, CombinedEngine, Near, Stage
from homing.search.engines.memory import MemoryEngine


def unit(count: int, seed: int) -> np.ndarray:
    made = np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def engine() -> CombinedEngine:
    codebook = homing.train_codebook(unit(4000, 0), "IVF64,Flat")
    entries = unit(3000, 1)
    return CombinedEngine(
        [codebook], [MemoryEngine(codebook, *codebook.encode_with_cells(entries))]
    )


def test_near_cells_are_each_querys_own(engine, monkeypatch):
    monkeypatch.setattr(combined, "SEARCHED_WHOLE", 0)
    queries = unit(200, 2)
    visited = engine.visited(queries, NEAR)
    assert visited.shape == (200, 1)
    assert set(np.unique(visited)) > {1, 4}  # four is the automatic number of 64 cells
    assert visited.max() == engine.automatic_probes()[0] == 4
    assert (engine.visited(queries, Near(0.7)) >= visited).all()


def test_each_stage_goes_further_and_ends_with_less(engine, monkeypatch):
    assert engine.stages() == (Stage((64,)),)  # few entries
    monkeypatch.setattr(combined, "SEARCHED_WHOLE", 0)
    stages = engine.stages()
    assert stages[:3] == NEAR_STAGES
    assert [stage.probes for stage in stages[3:]] == [(8,), (16,)]
    visited = [engine.visited(unit(200, 2), stage.probes) for stage in stages]
    assert all((after >= before).all() for before, after in itertools.pairwise(visited))
    enough = [stage.enough for stage in stages[:-1]]
    assert enough == sorted(enough)


def test_each_query_finds_what_it_finds_with_its_own_number(engine):
    queries = unit(200, 2)
    visited = engine.visited(queries, NEAR)
    positions, distances = engine.search(queries, candidates=10, visited=visited)
    for number in np.unique(visited).tolist():
        rows = visited[:, 0] == number
        alone = engine.search(
            queries[rows], candidates=10, visited=engine.visited(queries[rows], number)
        )
        np.testing.assert_array_equal(positions[rows], alone[0])
        np.testing.assert_array_equal(distances[rows], alone[1])


def test_numbers_of_cells(engine):
    queries = unit(3, 3)
    assert engine.visited(queries, 5).tolist() == [[5]] * 3
    assert engine.visited(queries, (1000,)).tolist() == [[64]] * 3  # at most all
    with pytest.raises(UsageError, match="probes"):
        engine.visited(queries, 0)
    for probes in (NEAR, 2):
        none = engine.visited(queries[:0], probes)
        assert engine.search(queries[:0], candidates=5, visited=none)[0].shape == (0, 5)
