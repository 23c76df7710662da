"""Tables with made-up rows, searched by both engines."""

from pathlib import Path

import numpy as np

import homing
from homing.archive.query.snapshot import Snapshot
from homing.archive.table.table import Table
from tests.helpers.vectors import unit_vectors

HELD = ["IVF8,PQ8x8", "PQ8", "OPQ8,IVF8,PQ8x8", "IVF8,Flat", "IVF8_HNSW4,PQ8x8"]


def new_table(folder: Path, codebook: homing.Codebook, places: int = 1) -> Table:
    folder.mkdir(exist_ok=True)
    size = {"dimension": codebook.dimension, "code_size": codebook.code_size}
    return Table.create(folder / "table", **size, places=places)


def names(first: int, count: int) -> list[str]:
    return [f"{n:05}" for n in range(first, first + count)]


def compare(table: Table, codebook: homing.Codebook, probes=(1, 3, 8)) -> None:
    """Check that both engines find the same entries, at the same distances, as equal hits."""
    table.refresh()
    memory, lance = Snapshot(table, codebook), Snapshot(table, codebook, "lance")
    queries = unit_vectors(12, 5)
    assert len(memory) == len(lance) == len(table)
    for visited in probes:
        for rerank in (0, 25):
            one = memory.search(queries, k=10, probes=visited, rerank=rerank)
            other = lance.search(queries, k=10, probes=visited, rerank=rerank)
            assert np.array_equal(one.ids, other.ids)
            assert np.array_equal(one.positions, other.positions)
            assert np.array_equal(one.similarity, other.similarity)
            np.testing.assert_allclose(one.code_distance, other.code_distance, atol=1e-5)
            for row in range(3):
                part = slice(row, row + 1)
                hits_of_each = [
                    s.hits(s.best_views(one, part, ["upright"])) for s in (memory, lance)
                ]
                assert [hit.as_dict() for hit in hits_of_each[0]] == [
                    hit.as_dict() for hit in hits_of_each[1]
                ]
    some = np.arange(len(table))[::7]
    assert np.array_equal(
        memory.neighbours(some, k=4, probes=2).ids, lance.neighbours(some, k=4, probes=2).ids
    )
    assert memory.ids_and_states(some.tolist()) == lance.ids_and_states(some.tolist())
