"""Codebooks adopted beside the first: old entries are unchanged, and a search uses all."""

import json
import threading
import time
from itertools import pairwise

import numpy as np
import pytest

import homing
from homing.archive import codebooks as module
from homing.archive.query.snapshot import Snapshot
from homing.archive.table.commit import commit_rows
from homing.archive.table.generations import KEY
from homing.archive.table.index.segments import read_coverages
from homing.archive.table.table import Table
from homing.codebooks import parse_factory
from homing.files.small_json import decode
from homing.search.engines import combined
from homing.search.engines.lance import reason_against
from tests.helpers import ROOT
from tests.helpers.archive import child, completed, contents, facts, rows_for, write
from tests.helpers.index import names
from tests.helpers.pictures import make_pictures, picture
from tests.helpers.vectors import DIMENSION, unit_vectors

FIRST, SAME_WIDTH, WIDER = "IVF8,PQ8x8", "IVF16,PQ8x8", "OPQ16,IVF4,PQ16x8"
LATER = [
    SAME_WIDTH,
    WIDER,
    "PQ4",
    "IVF8,Flat",
    "IVF8,SQ8",
    "PCA24,LSH",
    "IVF8,RaBitQ",
    "IVF8,PQ8x8,IP",
]


@pytest.fixture(scope="module")
def books(network, codebook) -> dict[str, homing.Codebook]:
    vectors, made = unit_vectors(600, 2), {FIRST: codebook, WIDER: rotated(network.fingerprint)}
    for factory in LATER:
        if factory not in made:
            made[factory] = homing.train_codebook(vectors, factory, descriptor=network.fingerprint)
    return made


def rotated(descriptor: str) -> homing.Codebook:
    """Make a codebook with a rotation; training one would take a minute."""
    rotation = np.linalg.qr(np.random.default_rng(3).standard_normal((DIMENSION, DIMENSION)))[0]
    rotation = rotation.astype(np.float32)
    inner = homing.train_codebook(unit_vectors(600, 2) @ rotation.T, "IVF4,PQ16x8")
    arrays = {**inner.arrays, "rotation": rotation}
    return homing.Codebook(parse_factory(WIDER), DIMENSION, arrays, descriptor)


def two_generations(archive: homing.Archive, later: homing.Codebook) -> homing.Archive:
    """Write 120 entries of the first codebook and 80 of a later one."""
    write(archive._table, archive.codebook, names(0, 120), unit_vectors(120, 10))
    archive.adopt(later)
    write(archive._table, later, names(120, 80), unit_vectors(80, 11), generation=2)
    return archive


def alone(folder, network, codebook, ids, vectors) -> Snapshot:
    """Return a snapshot of an archive of one codebook alone."""
    made = homing.create(folder, descriptor=network, codebook=codebook)
    write(made._table, codebook, ids, vectors)
    return Snapshot(made._table, codebook)


@pytest.mark.parametrize("factory", LATER)
def test_answers_are_those_of_two_archives_merged(archive, books, network, tmp_path, factory):
    first, later = archive.codebook, books[factory]
    old = alone(tmp_path / "old", network, first, names(0, 120), unit_vectors(120, 10))
    new = alone(tmp_path / "new", network, later, names(120, 80), unit_vectors(80, 11))
    two_generations(archive, later)
    engines = ["memory"] + ["lance"] * (reason_against(later.factory) is None)
    queries = np.concatenate([unit_vectors(6, 5), unit_vectors(120, 10)[:3]])
    for engine in engines:
        opened = homing.open(archive.path, engine=engine)
        for rerank, probes in ((0, 2), (20, 1), (1000, 8)):
            apart = [s.search(queries, k=10, probes=probes, rerank=rerank) for s in (old, new)]
            found = opened.search_vectors(queries, k=10, probes=probes, rerank=rerank)
            if rerank == 0 and factory == "PCA24,LSH":
                bits = apart[1].code_distance
                apart[1].code_distance[:] = 2 - 2 * np.cos(np.pi * np.minimum(bits, 24) / 24)
            order = "code_distance" if rerank == 0 else "similarity"
            for row in range(len(queries)):
                both = [
                    (sign * value, similarity, name)
                    for each in apart
                    for value, similarity, name in zip(
                        getattr(each, order)[row],
                        each.similarity[row],
                        each.ids[row],
                        strict=True,
                    )
                    if name is not None
                    for sign in [1 if rerank == 0 else -1]
                ]
                wanted = [name for _, _, name in sorted(both, key=lambda e: e[0])[:10]]
                held = [name for name in found.ids[row] if name is not None]
                assert held == wanted
                exact = {name: similarity for _, similarity, name in both}
                assert found.similarity[row, : len(held)].tolist() == [exact[n] for n in held]
                if rerank == 0:
                    assert all(a <= b for a, b in pairwise(found.code_distance[row, : len(held)]))


@pytest.mark.parametrize("engine", ["memory", "lance"])
@pytest.mark.parametrize("factory", [SAME_WIDTH, WIDER])
def test_every_entry_is_found_by_its_own_vector(archive, books, factory, engine):
    two_generations(archive, books[factory])
    opened = homing.open(archive.path, engine=engine)
    vectors = np.concatenate([unit_vectors(120, 10), unit_vectors(80, 11)])
    found = opened.search_vectors(vectors, k=1, probes=1)
    assert found.ids[:, 0].tolist() == names(0, 200)
    assert [row.generation for row in opened.entries()] == [1] * 120 + [2] * 80
    for book, rows in ((books[FIRST], slice(0, 3)), (books[factory], slice(197, 200))):
        for name in names(0, 200)[rows]:
            row = opened.entry(name)
            cells, codes = book.encode_with_cells(row.vector[None].astype(np.float32))
            assert (row.cell, row.code) == (int(cells[0]), codes[0].tobytes())


def test_hits_say_their_generation_where_there_are_several(archive, books):
    write(archive._table, archive.codebook, names(0, 5), unit_vectors(5, 1))
    snapshot = archive._current.snapshot()
    matches = snapshot.search(unit_vectors(1, 1), k=5, probes=8, rerank=64)
    (hit, *_) = snapshot.hits(snapshot.best_views(matches, slice(0, 1), ["upright"]))
    assert hit.generation is None
    assert hit.as_dict()["generation"] is None
    archive.adopt(books[WIDER])
    write(archive._table, books[WIDER], ["n"], unit_vectors(1, 9), generation=2)
    snapshot = archive._current.snapshot()
    queries = np.concatenate([unit_vectors(1, 1), unit_vectors(1, 9)])
    matches = snapshot.search(queries, k=6, probes=8, rerank=64)
    for row, book in enumerate((books[FIRST], books[WIDER])):
        hit = snapshot.hits(snapshot.best_views(matches, slice(row, row + 1), ["upright"]))[0]
        assert hit.as_dict()["generation"] == row + 1
        stored = queries[row : row + 1].astype(np.float16).astype(np.float32)
        assert hit.cell == int(book.cells(stored)[0])


def test_a_picture_released_or_added_later_is_of_the_newest(archive, books, tmp_path):
    old, new = make_pictures(tmp_path / "old", 3), make_pictures(tmp_path / "new", 3, first=50)
    archive.add(old)
    assert archive.adopt(books[WIDER]).as_dict() == {
        "generation": 2,
        "codebook": WIDER,
        "codebook_fingerprint": books[WIDER].fingerprint,
    }
    assert archive.codebook == books[WIDER]
    assert [each.codebook for each in archive.generations] == [FIRST, WIDER]
    assert archive.add(new).count("added") == 3
    assert archive.add(old).count("skipped") == 3
    released = archive.release(old, out=tmp_path / "out", method="robust-fast")
    assert released.count("released") == 3  # what was added before is now of the newest
    assert {row.generation for row in archive.entries()} == {2}
    assert archive.verify().clean
    for name in ("000.jpg", "051.jpg"):
        hit, *_ = archive.search(picture(int(name[:3])), k=1, probes=16)
        assert (hit.id, hit.generation) == (name, 2)


def test_duplicates_are_found_across_generations(archive, books, tmp_path):
    archive.add(make_pictures(tmp_path / "old", 4))
    archive.adopt(books[SAME_WIDTH])
    again = make_pictures(tmp_path / "again", 4, first=2)
    for path in sorted(again.iterdir()):
        path.rename(path.with_name("again-" + path.name))
    archive.add(again)
    groups = archive.duplicates(similarity=0.99)
    assert [[entry.id for entry in group.entries] for group in groups] == [
        ["002.jpg", "again-002.jpg"],
        ["003.jpg", "again-003.jpg"],
    ]


def test_probes_and_stages_are_each_codebooks_own(archive, books, monkeypatch):
    archive.adopt(books["PQ4"])
    snapshot = archive._current.snapshot()
    assert snapshot.probes() == (8, 1)  # few entries: every cell
    assert snapshot.stages(None) == (combined.Stage((8, 1)),)
    monkeypatch.setattr(combined, "SEARCHED_WHOLE", 0)
    assert snapshot.probes() == (4, 1)
    assert snapshot.stages(None) == (*combined.NEAR_STAGES, combined.Stage((8, 1)))


def test_adopting_leaves_everything_else_as_it_was(archive, books):
    write(archive._table, archive.codebook, names(0, 20), unit_vectors(20, 1))
    before, recorded = contents(archive.path), facts(archive)
    archive.adopt(books[SAME_WIDTH])
    after = contents(archive.path)
    settings = decode(before["archive.json"])
    assert settings["format"] == 1
    assert decode(after["archive.json"]) == settings | {"format": 2}
    stored = f"codebook-{books[SAME_WIDTH].fingerprint[:16]}.safetensors"
    assert set(after) - set(before) >= {stored}
    assert after["checksums/archive.json.copy"] == after["archive.json"]
    changed = (
        "archive.json",
        "checksums/archive.json.copy",
        "entries.lance/_versions/latest_version_hint.json",
    )
    unchanged = [name for name in before if name not in changed]
    assert [name for name in unchanged if after[name] != before[name]] == []
    assert facts(archive) == recorded
    assert homing.load_codebook(archive.path / stored) == books[SAME_WIDTH]
    again = contents(archive.path)
    assert archive.adopt(books[SAME_WIDTH]).number == 2  # it is the newest already
    assert contents(archive.path) == again


def test_what_cannot_be_adopted_is_refused(archive, books, tmp_path):
    write(archive._table, archive.codebook, names(0, 3), unit_vectors(3, 1))
    foreign = homing.train_codebook(unit_vectors(600, 3), FIRST, descriptor="f" * 64)
    with pytest.raises(homing.CodebookError, match="was trained for the descriptor"):
        archive.adopt(foreign)
    assert archive.adopt(archive.codebook).number == 1  # it is the newest, and the only one
    assert json.loads((archive.path / "archive.json").read_text())["format"] == 1
    version = archive._table.version
    archive.adopt(books[SAME_WIDTH])
    with pytest.raises(homing.UsageError, match=r"is generation 1 .* newer ones up to 2"):
        archive.adopt(books[FIRST])
    with pytest.raises(homing.UsageError, match="is an earlier one"):
        homing.open(archive.path, version=version).adopt(books[WIDER])
    assert [each.codebook for each in archive.generations] == [FIRST, SAME_WIDTH]


def test_an_indexed_archive_adopts_only_what_its_index_holds(archive, books):
    write(archive._table, archive.codebook, names(0, 30), unit_vectors(30, 1))
    archive.index()
    with pytest.raises(homing.UsageError, match="Lance has no index of sign bits"):
        archive.adopt(books["PCA24,LSH"])
    assert len(archive.generations) == 1
    assert archive.adopt(books[WIDER]).number == 2


def test_an_archive_with_a_codebook_that_lance_cannot_hold(archive, books):
    two_generations(archive, books["IVF8,SQ8"])
    with pytest.raises(homing.UsageError, match="cannot be indexed"):
        homing.open(archive.path, engine="lance")
    with pytest.raises(homing.UsageError, match="cannot be indexed"):
        archive.index()


def test_an_explanation_names_the_cell_of_the_hits_own_generation(archive, books, tmp_path):
    archive.adopt(books[WIDER])
    archive.add(make_pictures(tmp_path / "photos", 2))
    found = archive.explain(picture(1), files=tmp_path / "photos")
    assert found.hit is not None
    assert (found.hit.id, found.hit.generation) == ("001.jpg", 2)
    vector = archive.descriptor.describe([picture(1)])
    assert found.query_cell == int(books[WIDER].cells(vector)[0])
    assert "of generation 2; " in found.facts()["cell"]


def test_damaged_generations_are_reported(archive, books):
    archive.adopt(books[WIDER])
    archive._table.dataset.update_config({KEY: '[{"fingerprint": "a", "later": 1}]'})
    with pytest.raises(homing.ArchiveError, match="codebook generations cannot be read"):
        homing.open(archive.path)


def test_a_version_that_is_past_has_the_generations_of_its_time(archive, books):
    write(archive._table, archive.codebook, names(0, 20), unit_vectors(20, 1))
    version = archive._table.version
    archive.adopt(books[WIDER])
    write(archive._table, books[WIDER], names(20, 20), unit_vectors(20, 2), generation=2)
    past = homing.open(archive.path, version=version)
    assert len(past.generations) == 1
    found = past.search_vectors(unit_vectors(20, 2), k=20, probes=8)
    assert set(found.ids.ravel()) == set(names(0, 20))
    archive.compact()
    assert len(homing.open(archive.path).generations) == 2


def test_a_codebook_that_is_missing_or_anothers_is_refused(archive, books):
    archive.adopt(books[WIDER])
    file = archive.path / f"codebook-{books[WIDER].fingerprint[:16]}.safetensors"
    held = file.read_bytes()
    file.unlink()
    with pytest.raises(homing.CodebookError, match=file.name):
        homing.open(archive.path)
    books[SAME_WIDTH].save(file)
    with pytest.raises(homing.CodebookError, match="has adopted"):
        homing.open(archive.path)
    file.write_bytes(held)
    assert homing.open(archive.path).verify().clean


@pytest.mark.parametrize("factory", [SAME_WIDTH, WIDER])
def test_a_writer_from_before_an_adoption_writes_its_own_generation(archive, books, factory):
    """Its rows have the codebook that it opened; they are committed after a newer one."""
    stale, first, later = homing.open(archive.path), books[FIRST], books[factory]
    table = stale._table
    vectors = unit_vectors(6, 1)
    begun = table.to_arrow(rows_for(first, ["a", "b"], vectors[:2], "released", places=2))
    added = table.to_arrow(rows_for(first, ["c"], vectors[2:3]))
    archive.adopt(later)
    mine = [*rows_for(later, ["b"], vectors[1:2], generation=2)]
    mine += rows_for(later, ["d"], vectors[3:4], generation=2)
    assert commit_rows(archive._table, archive._table.to_arrow(mine)) == set()
    assert commit_rows(table, begun) == set()  # "b" was added meanwhile: its release replaces it
    assert commit_rows(table, added) == set()
    # It knows the newer one since its last commit, and still writes rows of its own.
    write(table, first, ["e"], vectors[4:5])
    archive._table.refresh()
    assert {row.id: row.generation for row in archive.entries()} == {
        "a": 1, "b": 1, "c": 1, "d": 2, "e": 1,
    }  # fmt: skip
    assert archive.verify(files=False).clean
    found = archive.search_vectors(vectors[:5], k=1, probes=1)
    assert found.ids[:, 0].tolist() == list("abcde")


def test_two_adopt_at_once(archive, books):
    """Neither is lost: the second to commit becomes the third generation."""
    other = homing.open(archive.path)
    other._table.refresh()
    refresh, other._table.refresh = (
        other._table.refresh,
        lambda: None,
    )  # it has read the table before
    archive.adopt(books[WIDER])
    calls = []
    set_generations = Table.set_generations

    def committed(table, generations):
        calls.append(len(generations))
        other._table.refresh = refresh
        set_generations(table, generations)

    other._table.set_generations = lambda generations: committed(other._table, generations)
    assert other.adopt(books[SAME_WIDTH]).number == 3
    assert calls == [2, 3]  # refused once by the table
    archive._table.refresh()
    assert [each.codebook for each in archive.generations] == [FIRST, WIDER, SAME_WIDTH]
    assert archive.verify().clean


@pytest.mark.parametrize("point", ["_store", "raise_format", "code_column_name", "remove_parts"])
@pytest.mark.parametrize("after", [False, True])
def test_an_adoption_that_dies_is_made_again(archive, books, monkeypatch, point, after):
    write(archive._table, archive.codebook, names(0, 10), unit_vectors(10, 1))
    function = getattr(module, point)

    def dying(*arguments):
        if after:
            function(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, point, dying)
        with pytest.raises(KeyboardInterrupt):
            archive.adopt(books[WIDER])
    opened = homing.open(archive.path)
    adopted = point == "remove_parts"  # the only point after the commit
    assert len(opened.generations) == 1 + adopted
    opened_as = opened.codebook
    write(opened._table, opened_as, ["between"], unit_vectors(1, 7), generation=1 + adopted)
    assert opened.verify().clean
    assert opened.adopt(books[WIDER]).number == 2
    write(opened._table, books[WIDER], ["new"], unit_vectors(1, 8), generation=2)
    assert opened.verify().clean
    assert not list(archive.path.glob(".*.part"))


def test_adoption_amid_writers_loses_and_breaks_nothing(archive, books):
    """Rows of the first generation are committed while two more are adopted."""
    writer, failures = homing.open(archive.path), []

    def fill():
        try:
            for part in range(12):
                vectors = unit_vectors(10, 100 + part)
                write(writer._table, books[FIRST], names(10 * part, 10), vectors)
        except Exception as error:  # noqa: BLE001 - reported by the test's main thread
            failures.append(error)

    thread = threading.Thread(target=fill)
    thread.start()
    archive.adopt(books[SAME_WIDTH])
    archive.adopt(books[WIDER])
    write(archive._table, books[WIDER], ["new"], unit_vectors(1, 9), generation=3)
    thread.join()
    assert failures == []
    opened = homing.open(archive.path)
    assert sorted(row.id for row in opened.entries()) == [*names(0, 120), "new"]
    assert opened.verify().clean


def test_verify_reports_a_code_of_another_generation(archive, books):
    two_generations(archive, books[SAME_WIDTH])
    wrong = rows_for(books[FIRST], ["wrong"], unit_vectors(1, 3), generation=2)
    commit_rows(archive._table, archive._table.to_arrow(wrong))
    (problem,) = archive.verify().problems
    assert problem.id == "wrong"


@pytest.mark.parametrize("factory", [SAME_WIDTH, WIDER])
def test_the_index_of_each_generation_is_its_own(archive, books, factory):
    later = books[factory]
    write(archive._table, archive.codebook, names(0, 60), unit_vectors(60, 10))
    archive.index()
    archive.adopt(later)
    write(archive._table, later, names(60, 40), unit_vectors(40, 11), generation=2)
    write(archive._table, books[FIRST], names(100, 30), unit_vectors(30, 12))
    queries = unit_vectors(9, 5)

    def compare():
        memory, lance = (homing.open(archive.path, engine=e) for e in ("memory", "lance"))
        for probes in (1, 8):
            for rerank in (0, 30):
                options = {"k": 12, "probes": probes, "rerank": rerank}
                one, other = (each.search_vectors(queries, **options) for each in (memory, lance))
                assert np.array_equal(one.ids, other.ids)
                np.testing.assert_allclose(one.code_distance, other.code_distance, atol=1e-5)

    compare()
    assert archive.unindexed == 70
    done = archive.index()
    assert (done.entries, done.indexed, done.added) == (130, 130, 70)
    assert all(each.is_sound and each.segments for each in _coverages(archive))
    compare()
    archive.remove(names(55, 15))
    write(archive._table, later, names(200, 20), unit_vectors(20, 13), generation=2)
    write(archive._table, books[FIRST], names(300, 20), unit_vectors(20, 14))
    archive.compact()  # the new rows of both generations end up in one file
    assert archive.unindexed == 40
    compare()
    archive.index()
    assert archive.unindexed == 0
    compare()
    assert archive.verify().clean
    assert sorted(archive._table.dataset.config()) == [KEY]


def _coverages(archive):
    archive._table.refresh()
    return read_coverages(archive._table, archive._codebooks.read(archive._table))


@pytest.mark.parametrize("factory", [SAME_WIDTH, WIDER])
def test_rows_move_between_archives_of_several_generations(
    archive, books, network, tmp_path, factory
):
    """They have the same codebooks afterwards, which may have other numbers."""
    later = books[factory]
    two_generations(archive, later)
    assert archive.export(tmp_path / "both.parquet") == 200
    other = homing.create(tmp_path / "other", descriptor=network, codebook=later)
    with pytest.raises(homing.UsageError, match=r"is of the codebook IVF8,PQ8x8 .* adopt"):
        other.import_rows(tmp_path / "both.parquet")
    other.adopt(books[FIRST])
    done = other.import_rows(tmp_path / "both.parquet")
    assert (done.imported, done.skipped, done.problems) == (200, 0, ())
    assert facts(other) == facts(archive)
    assert [row.generation for row in other.entries()] == [2] * 120 + [1] * 80
    assert other.verify().clean
    assert other.import_rows(tmp_path / "both.parquet").skipped == 200
    single = homing.create(tmp_path / "single", descriptor=network, codebook=later)
    write(single._table, later, ["s"], unit_vectors(1, 77))
    single.export(tmp_path / "single.parquet")
    assert archive.import_rows(tmp_path / "single.parquet").imported == 1
    assert archive.entry("s").generation == 2
    assert archive.verify().clean


def test_statistics_describe_each_generation(archive, books):
    assert "generations" not in archive.stats()
    two_generations(archive, books[WIDER])
    stats = archive.stats()
    assert (stats["codebook"], stats["entries"], stats["cells"]) == (WIDER, 200, 12)
    one, two = stats["generations"]
    assert (one["codebook"], one["entries"], one["cells"]) == (FIRST, 120, 8)
    assert (two["codebook"], two["entries"], two["cells"]) == (WIDER, 80, 4)
    assert stats["bytes_of_codes"] == 120 * 16 + 80 * 24


def test_the_command_line(homing_cli, archive, books, tmp_path):
    write(archive._table, archive.codebook, names(0, 3), unit_vectors(3, 1))
    books[WIDER].save(tmp_path / "next.safetensors")
    ran = homing_cli("codebook", "adopt", archive.path, tmp_path / "next.safetensors", "--json")
    assert ran.status == 0
    assert json.loads(ran.out) == {
        "archive": str(archive.path),
        "generation": 2,
        "codebook": WIDER,
        "codebook_fingerprint": books[WIDER].fingerprint,
    }
    ran = homing_cli("codebook", "adopt", archive.path, tmp_path / "next.safetensors")
    assert "new pictures get OPQ16,IVF4,PQ16x8, generation 2" in ran.out
    ran = homing_cli("codebook", "show", archive.path, "--json")
    assert [json.loads(line)["generation"] for line in ran.out.splitlines()] == [1, 2]
    assert homing_cli("codebook", "show", archive.path).out.count("generation") == 2
    assert json.loads(homing_cli("show", archive.path, "00001", "--json").out)["generation"] == 1
    assert "generation 1            IVF8,PQ8x8: 3 entries" in homing_cli("stats", archive.path).out
    ran = homing_cli("codebook", "adopt", archive.path, "IVF9,PQ9x8")
    assert ran.status == 2
    assert "no codebook ships with homing for this descriptor" in ran.err


#: Points at which an adoption dies: Python that wraps the step just before each of them.
DIE = """
import os
from homing.archive import settings
from homing.archive import codebooks as generations
from homing.archive.table import table as record
from homing.codebooks import storage
def dying(module, name, after):
    function = getattr(module, name)
    def wrapped(*arguments, **options):
        if after:
            function(*arguments, **options)
        os._exit(77)
    setattr(module, name, wrapped)
"""
POINTS = [
    "dying(storage, 'write_durably', False)",
    "dying(storage, 'write_durably', True)",  # the codebook's file is whole, but has no name yet
    "dying(storage, 'publish', True)",
    "dying(record.Table, 'add_column', True)",
    "dying(settings, 'write_whole', False)",
    "dying(settings, 'write_whole', True)",  # of the copy alone
    "dying(settings, '_write', True)",  # the later format, with one generation
    "dying(record.Table, 'set_generations', False)",
    "dying(record.Table, 'set_generations', True)",
]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_dies_while_it_adopts(archive, books, tmp_path, monkeypatch, point):
    write(archive._table, archive.codebook, names(0, 10), unit_vectors(10, 1))
    books[WIDER].save(tmp_path / "next.safetensors")
    command = ["codebook", "adopt", archive.path, tmp_path / "next.safetensors"]
    assert completed(child(command, before=DIE + point))[0] == 77
    committed = point == POINTS[-1]
    opened = homing.open(archive.path)
    assert len(opened.generations) == 1 + committed
    assert opened.verify().clean
    monkeypatch.setattr(module, "_SETTLED", -1.0)  # its leftovers may be removed at once
    assert opened.adopt(books[WIDER]).number == 2
    write(opened._table, books[WIDER], ["new"], unit_vectors(1, 8), generation=2)
    assert opened.verify().clean
    assert not list(archive.path.glob(".*.part"))


#: Writes rows of one generation in another process until a file appears.
WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import homing
from tests.helpers.archive import write
from tests.helpers.vectors import unit_vectors
archive = homing.open({archive!r})
codebook, number = archive.codebook, 0
while not Path({stop!r}).exists():
    part = [f"{who}-{{number:04}}-{{n}}" for n in range(5)]
    write(archive._table, codebook, part, unit_vectors(5, number))
    number += 1
    Path({ready!r}).write_text(str(number))
sys.exit()
"""


@pytest.mark.slow
def test_processes_write_while_two_generations_are_adopted(archive, books, tmp_path):
    """Their rows are of the generation that they opened; none is lost, doubled or mixed up."""
    stop, writers, marks = tmp_path / "stop", [], []
    for who in ("one", "two"):
        marks.append(tmp_path / who)
        fill = {"tests": str(ROOT), "archive": str(archive.path), "who": who}
        before = WRITER.format(stop=str(stop), ready=str(marks[-1]), **fill)
        writers.append(child([], before=before))
    for factory in (SAME_WIDTH, WIDER):
        seen = [int(m.read_text() or 0) if m.exists() else 0 for m in marks]
        while any(
            not m.exists() or int(m.read_text() or 0) <= s + 2
            for m, s in zip(marks, seen, strict=True)
        ):
            assert all(writer.poll() is None for writer in writers)
            time.sleep(0.01)
        archive.adopt(books[factory])
        write(
            archive._table,
            books[factory],
            [factory],
            unit_vectors(1, 999),
            generation=len(archive.generations),
        )
    time.sleep(1)
    stop.touch()
    for writer in writers:
        status, _, err = completed(writer)
        assert status == 0, err
    opened = homing.open(archive.path)
    wanted = [
        f"{m.name}-{n:04}-{k}" for m in marks for n in range(int(m.read_text())) for k in range(5)
    ]
    rows = {row.id: row.generation for row in opened.entries()}
    assert rows == dict.fromkeys(wanted, 1) | {SAME_WIDTH: 2, WIDER: 3}
    assert len(opened) == len(rows)
    assert opened.verify().clean


@pytest.mark.slow
def test_several_workers_index_two_generations(archive, books):
    two_generations(archive, books[WIDER])
    assert archive.index(workers=2).indexed == 200
    assert all(each.is_sound and not each.unindexed for each in _coverages(archive))
    found = homing.open(archive.path, engine="lance").search_vectors(
        unit_vectors(80, 11), k=1, probes=1
    )
    assert found.ids[:, 0].tolist() == names(120, 80)
