"""Snapshots, their entries and mapped vectors, against the rows of several kinds of tables."""

import dataclasses

import numpy as np
import pytest

from homing.archive.query.snapshot import Snapshot, VectorMatches
from homing.archive.table.addresses import Runs
from homing.archive.table.table import Table
from homing.archive.table.vectors import StoredVectors
from tests.helpers.archive import write
from tests.helpers.vectors import unit_vectors


def hits_of(snapshot: Snapshot, matches: VectorMatches, query: int, *, by_code: bool = False):
    found = snapshot.best_views(matches, slice(query, query + 1), ["upright"], by_code=by_code)
    return snapshot.hits(found)


@pytest.fixture
def table(tmp_path, codebook) -> Table:
    return Table.create(tmp_path / "record", dimension=codebook.dimension, code_size=8)


@pytest.fixture
def truth(table, codebook) -> dict[str, np.ndarray]:
    """Rows that remain after several commits, deletions and replacements."""
    there: dict[str, np.ndarray] = {}
    for commit, count in enumerate((200, 1, 50, 130)):
        names = [f"{commit}-{n}" for n in range(count)]
        vectors = unit_vectors(count, commit)
        write(table, codebook, names, vectors)
        there |= dict(zip(names, vectors, strict=True))
    gone = [name for n, name in enumerate(there) if n % 7 == 2]
    table.delete(gone)
    there = {name: v for name, v in there.items() if name not in gone}
    renewed = [name for n, name in enumerate(there) if n % 11 == 4]
    vectors = unit_vectors(len(renewed), 77)
    write(table, codebook, renewed, vectors, "released")
    return there | dict(zip(renewed, vectors, strict=True))


def addresses_of(table: Table) -> tuple[list[str], np.ndarray]:
    names, addresses = [], []
    for batch in table.batches(["id"], addresses=True):
        names += batch.column("id").to_pylist()
        addresses.append(batch.column("_rowaddr").to_numpy())
    return names, np.concatenate(addresses)


def check_vectors(table: Table, truth: dict[str, np.ndarray]) -> None:
    names, addresses = addresses_of(table)
    assert sorted(names) == sorted(truth)
    vectors = StoredVectors(table, Runs.of(addresses))
    assert vectors.mapped
    positions = np.random.default_rng(0).permutation(len(names)).reshape(1, -1)
    taken = vectors.take(positions)
    wanted = np.stack([truth[names[p]].astype(np.float16) for p in positions[0]])
    assert np.array_equal(taken[0], wanted)
    assert np.array_equal(taken[0], vectors._take_read(positions[0]))
    assert vectors.take(np.array([[0, -1], [-1, 1]])).shape == (2, 2, 192)
    assert vectors.take(np.empty((3, 0), np.int64)).shape == (3, 0, 192)


def test_mapped_vectors_are_those_of_the_record(table, truth):
    check_vectors(table, truth)


def test_mapped_vectors_after_compaction(table, truth, codebook):
    table.compact()
    check_vectors(table, truth)
    more = unit_vectors(40, 500)
    names = [f"late-{n}" for n in range(40)]
    write(table, codebook, names, more)
    check_vectors(table, truth | dict(zip(names, more, strict=True)))
    table.delete(list(truth))
    table.compact()
    check_vectors(table, dict(zip(names, more, strict=True)))


def test_where_files_do_not_lie_plainly_vectors_are_read(table, truth, monkeypatch):
    monkeypatch.setattr("homing.archive.table.vectors.plain_pages", lambda *given: [])
    names, addresses = addresses_of(table)
    vectors = StoredVectors(table, Runs.of(addresses))
    assert not vectors.mapped
    positions = np.array([[5, 5, 0, len(names) - 1]])
    assert np.array_equal(
        vectors.take(positions)[0],
        np.stack([truth[names[p]].astype(np.float16) for p in positions[0]]),
    )


def test_mapped_pages_that_disagree_are_not_used(table, truth, monkeypatch):
    from homing.archive.table import vectors as module

    plain = module.plain_pages

    def shifted(*given):
        return [dataclasses.replace(page, position=page.position + 2) for page in plain(*given)]

    monkeypatch.setattr(module, "plain_pages", shifted)
    assert not StoredVectors(table, Runs.of(addresses_of(table)[1])).mapped


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("rerank", [0, 20, 1000])
def test_a_search_gives_the_right_entries(table, truth, codebook, compacted, rerank):
    if compacted:
        table.compact()
    snapshot = Snapshot(table, codebook)
    assert len(snapshot) == len(truth)
    names = list(truth)[::9]
    queries = np.stack([truth[name] for name in names])
    found = snapshot.search(queries, k=5, probes=8, rerank=rerank)
    everything = {
        name: vector.astype(np.float16).astype(np.float32) for name, vector in truth.items()
    }
    for number, name in enumerate(names):
        assert found.ids[number, 0] == name
        for place in range(5):
            exact = min(1, float(queries[number] @ everything[found.ids[number, place]]))
            assert found.similarity[number, place] == pytest.approx(exact, abs=1e-5)
        hits = hits_of(snapshot, found, number, by_code=not rerank)
        assert [hit.id for hit in hits] == found.ids[number].tolist()
        for hit in hits:
            assert hit.metadata == ({"name": hit.id} if hit.id.endswith("3") else None)
    if rerank == 1000:
        ids = list(everything)
        exact = queries @ np.stack([everything[i] for i in ids]).T
        best = np.sort(np.minimum(exact, 1), axis=1)[:, ::-1][:, :5]
        assert np.allclose(found.similarity, best, atol=1e-5)


def test_more_hits_are_requested_than_there_are_entries(table, codebook):
    write(table, codebook, ["a", "b3"], unit_vectors(2, 1))
    snapshot = Snapshot(table, codebook)
    found = snapshot.search(unit_vectors(3, 1), k=10, probes=8, rerank=64)
    assert {hit.id for hit in hits_of(snapshot, found, 0)} == {"a", "b3"}
    assert [hit.id for hit in hits_of(snapshot, found, 1)] == ["b3", "a"]
    empty = snapshot.search(np.empty((0, 192), np.float32), k=10, probes=8, rerank=64)
    assert len(empty) == 0


def test_an_emptied_record_is_searched_and_filled_again(table, codebook):
    write(table, codebook, ["a"], unit_vectors(1, 1))
    table.delete(["a"])
    assert len(Snapshot(table, codebook)) == 0
    found = Snapshot(table, codebook).search(unit_vectors(1, 1), k=3, probes=8, rerank=64)
    assert hits_of(Snapshot(table, codebook), found, 0) == ()
    table.compact()
    write(table, codebook, ["b"], unit_vectors(1, 1))
    snapshot = Snapshot(table, codebook)
    found = snapshot.search(unit_vectors(1, 1), k=3, probes=8, rerank=64)
    assert [hit.id for hit in hits_of(snapshot, found, 0)] == ["b"]


def test_the_best_view_of_each_entry_counts(table, codebook):
    vectors = unit_vectors(3, 1)
    write(table, codebook, ["a", "b", "c"], vectors)
    snapshot = Snapshot(table, codebook)
    between = (vectors[0] + 0.5 * vectors[1]) / np.linalg.norm(vectors[0] + 0.5 * vectors[1])
    queries = np.stack([vectors[2], between, vectors[1], vectors[1]])
    matches = snapshot.search(queries, k=3, probes=8, rerank=64)
    found = snapshot.best_views(matches, slice(1, 4), ["first", "second", "third"])
    assert found.view_count == 3
    hits = snapshot.hits(found)
    assert [(hit.id, hit.view) for hit in hits[:2]] == [("b", "second"), ("a", "first")]
    assert sorted(hit.id for hit in hits) == ["a", "b", "c"]  # each once
    assert list(found.similarity) == sorted(found.similarity, reverse=True)
    by_code = snapshot.best_views(matches, slice(1, 4), ["first", "second", "third"], by_code=True)
    assert list(by_code.code_distance) == sorted(by_code.code_distance)
