"""Groups of entries that are copies of each other."""

import numpy as np
import pytest

import homing
from tests.helpers.archive import write
from tests.helpers.vectors import DIMENSION, unit_vectors


def near(vector: np.ndarray, seed: int, noise: float = 0.01) -> np.ndarray:
    moved = vector + noise * np.random.default_rng(seed).standard_normal(DIMENSION)
    return (moved / np.linalg.norm(moved)).astype(np.float32)


@pytest.fixture
def filled(archive):
    """300 unlike entries; 7 has two copies, 40 has one, and 41 is near the copy of 40."""
    vectors = unit_vectors(300, 0)
    write(archive._table, archive.codebook, [f"{n}" for n in range(300)], vectors)
    first = near(vectors[40], 3, 0.02)
    copies = [near(vectors[7], 1), near(vectors[7], 2), first, near(first, 4, 0.02)]
    write(archive._table, archive.codebook, ["7b", "7c", "40b", "40c"], np.stack(copies))
    return archive


def ids(groups):
    return [[entry.id for entry in group.entries] for group in groups]


def test_groups_by_similarity(filled):
    done = []
    groups = filled.duplicates(similarity=0.9, progress=done.append)
    assert ids(groups) == [["7", "7b", "7c"], ["40", "40b", "40c"]]
    assert sum(done) == 304
    for group in groups:
        for entry in group.entries:
            assert 0.9 <= entry.similarity <= 1
            assert entry.state == "added"
    assert set(groups[0].as_dict()["entries"][0]) == {"id", "similarity", "state"}


def test_groups_by_false_alarm_rate(filled):
    with pytest.raises(homing.UsageError, match="homing calibrate"):
        filled.duplicates()
    filled.calibrate()
    assert ids(filled.duplicates()) == [["7", "7b", "7c"], ["40", "40b", "40c"]]
    assert ids(filled.duplicates(rate=1e-300)) == []
    with pytest.raises(homing.UsageError):
        filled.duplicates(rate=0)


def test_an_empty_archive_has_none(archive):
    assert archive.duplicates(similarity=0.5) == []


def test_equal_entries_are_all_found_however_many(archive):
    """More of them than the neighbours that are searched for an entry."""
    vectors = np.repeat(unit_vectors(1, 1), 60, axis=0)
    write(archive._table, archive.codebook, [f"{n}" for n in range(60)], vectors)
    (group,) = archive.duplicates(similarity=0.99)
    assert len(group.entries) == 60
