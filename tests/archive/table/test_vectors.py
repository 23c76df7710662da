"""Stored vectors, mapped and read. Searches by both: tests/archive/query/test_snapshot.py."""

import numpy as np
import pytest

from homing.archive.table.addresses import read_runs
from homing.archive.table.vectors import StoredVectors
from tests.helpers.archive import write
from tests.helpers.vectors import unit_vectors


@pytest.mark.parametrize("compacted", [False, True])
def test_mapped_and_read_vectors_are_those_recorded(table, codebook, monkeypatch, compacted):
    truth = {}
    for part in range(3):
        names, vectors = [f"{part}-{n}" for n in range(30)], unit_vectors(30, part)
        write(table, codebook, names, vectors)
        truth |= dict(zip(names, vectors.astype(np.float16), strict=True))
    table.delete(["0-3", "1-0", "2-29"])
    if compacted:
        table.compact()
    ids = [name for batch in table.batches(["id"]) for name in batch.column("id").to_pylist()]
    wanted = np.stack([truth[name] for name in ids])
    mapped = StoredVectors(table, read_runs(table))
    monkeypatch.setattr("homing.archive.table.vectors.plain_pages", lambda *given: [])
    read = StoredVectors(table, read_runs(table))
    assert mapped.mapped
    assert not read.mapped
    positions = np.random.default_rng(0).permutation(len(ids)).reshape(3, -1)
    for vectors in (mapped, read):
        assert np.array_equal(vectors.take(positions), wanted[positions])
    mapped.release_memory()
    assert np.array_equal(mapped.take(positions), wanted[positions])


def test_an_empty_table_has_no_vectors(table):
    vectors = StoredVectors(table, read_runs(table))
    assert vectors.take(np.full((2, 3), -1)).shape == (2, 3, 192)
