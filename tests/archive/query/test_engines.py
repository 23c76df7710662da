"""Engines of an archive divided into parts, of which all answer or only those in time.

These tests also cover search/engines/lance; search/engines/combined is covered by
tests/archive/test_codebooks.
"""

import json
import shutil
import threading
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import homing
from homing.archive.query import engines
from homing.archive.query.calibrate import calibrate_on_entries
from homing.archive.query.snapshot import Snapshot
from homing.archive.table.index import segments
from homing.archive.table.index.form import IndexForm
from homing.archive.table.index.segments import (
    add_index_column,
    build_segment,
    commit_segment,
    read_coverage,
)
from homing.search.engines.deadline import Deadline, Partial
from tests.helpers.archive import write
from tests.helpers.pictures import make_pictures
from tests.helpers.vectors import unit_vectors

ROWS = 40  # rows of a data file


def names(part):
    return [f"{part}-{number}" for number in range(ROWS)]


def fill(archive, parts):
    for part in range(parts):
        write(archive._table, archive.codebook, names(part), unit_vectors(ROWS, part))


def index_apart(archive, groups, tmp_path):
    """Index groups of fragments, a segment each; other fragments stay unindexed."""
    table = archive._table.of_generation(1)
    add_index_column(table, IndexForm(archive.codebook))
    for number, group in enumerate(groups):
        folder = tmp_path / f"{archive.path.name}-{number}"
        folder.mkdir()
        segment = build_segment(table, IndexForm(archive.codebook), group, folder)
        assert commit_segment(table, IndexForm(archive.codebook), group, segment)
    archive._table.refresh()


@pytest.fixture
def divided(archive, tmp_path):
    """Five data files: a segment over two, one over two, and the last unindexed."""
    fill(archive, 5)
    index_apart(archive, [[0, 1], [2, 3]], tmp_path)
    return homing.open(archive.path, engine="lance")


def found(archive, **options):
    return archive.search_vectors(unit_vectors(7, 77), k=500, probes=8, rerank=0, **options)


def ids(matches, row=0):
    return {name for name in matches.ids[row] if name is not None}


def of_parts(*parts):
    return {name for part in parts for name in names(part)}


@pytest.fixture(scope="module")
def records(tmp_path_factory, network_file, codebook):
    """Snapshots of the same rows divided in several ways, and one in memory."""
    made = []
    for number, groups in enumerate([[], [[0, 1, 2, 3]], [[0], [1], [2], [3]], [[1, 3], [0]]]):
        folder = tmp_path_factory.mktemp("divided")
        archive = homing.create(folder / f"a{number}", descriptor=network_file, codebook=codebook)
        fill(archive, 4)
        if groups:
            index_apart(archive, groups, folder)
            archive._table.delete(names(1)[:5])
        else:
            archive._table.delete(names(1)[:5])
        made.append(Snapshot(archive._table, codebook, "lance" if groups else "memory"))
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    queries=st.integers(0, 20),
    k=st.integers(1, 200),
    probes=st.integers(1, 8),
    patient=st.booleans(),
)
def test_however_divided_the_answers_are_the_undivided_ones(
    records, seed, queries, k, probes, patient
):
    vectors = unit_vectors(queries, seed)
    options = {"k": k, "probes": probes, "rerank": 0}
    expected, *divided = [
        each.search(vectors, **options, deadline=Deadline(60) if patient else None)
        for each in records
    ]
    for each in divided:
        assert each.partial is None
        np.testing.assert_allclose(each.code_distance, expected.code_distance, atol=1e-5)
        for row in range(queries):
            similarities, other = nearer(each, row), nearer(expected, row)
            assert similarities.keys() == other.keys()
            assert all(
                similarities[name] == pytest.approx(other[name], abs=1e-5) for name in similarities
            )


def nearer(matches, row):
    """Return similarities by id, without those tied with the last, which come by chance."""
    last = matches.code_distance[row, -1] - 1e-4
    found = zip(matches.ids[row], matches.similarity[row], matches.code_distance[row], strict=True)
    return {name: similarity for name, similarity, distance in found if distance < last}


def test_a_slow_segment_is_left_out_and_reported(divided, monkeypatch):
    whole = found(divided)
    assert whole.partial is None
    assert ids(whole) == of_parts(*range(5))
    ask, free = engines.nearest_codes, threading.Event()

    def slow(table, codebook, queried, *given):
        if any(0 in segment.fragments for segment in queried):
            free.wait(60)
        return ask(table, codebook, queried, *given)

    monkeypatch.setattr(engines, "nearest_codes", slow)
    start = time.monotonic()
    partial = found(divided, deadline=0.4)
    assert 0.3 < time.monotonic() - start < 10
    assert partial.partial == Partial(2 * ROWS, "no answer within 0.4 s")
    assert ids(partial) == of_parts(2, 3, 4)
    free.set()
    assert found(divided, deadline=30).partial is None
    assert ids(found(divided)) == of_parts(*range(5))  # without a deadline it is waited for


def test_a_segment_that_is_lost_is_left_out_or_an_error(divided):
    lost = next(
        s for s in read_coverage(divided._table.of_generation(1), divided.codebook).segments
    )
    divided.warm()
    shutil.rmtree(divided.path / "entries.lance" / "_indices" / lost.uuid)
    partial = found(divided, deadline=30)
    assert partial.partial.entries_not_asked == 2 * ROWS
    assert "cannot be read or written: Not found" in partial.partial.reason
    assert len(ids(partial)) == 3 * ROWS
    with pytest.raises(homing.ArchiveError, match="cannot be read or written: Not found"):
        found(divided)
    # Once opened again, its rows are searched by their codes; the next index covers them again.
    again = homing.open(divided.path, engine="lance")
    assert ids(found(again)) == of_parts(*range(5))
    assert "run 'homing index'" in again.verify(files=False).problems[0].message
    assert again.index().indexed == 5 * ROWS
    assert again.verify(files=False).clean


def test_calibration_and_duplicates_are_never_made_of_some_parts(divided, monkeypatch):
    def broken(*given):
        raise homing.ArchiveError("a part is broken")

    monkeypatch.setattr(engines, "nearest_codes", broken)
    with pytest.raises(homing.ArchiveError, match="a part is broken"):
        calibrate_on_entries(divided._current.snapshot(), others=np.empty((0, 192), "f4"))
    with pytest.raises(homing.ArchiveError, match="a part is broken"):
        divided.duplicates(similarity=0.9)


def test_where_the_archive_has_changed_meanwhile_all_parts_are_queried_again(divided, monkeypatch):
    """Files of an old version vanish when another process compacts: the answer is still whole."""
    divided.warm()
    other = homing.open(divided.path)
    write(other._table, other.codebook, names(9), unit_vectors(ROWS, 9))
    ask, tried = engines.nearest_codes, []

    def once(*given):
        tried.append(1)
        if len(tried) <= 2:  # both segments of the old version
            raise homing.ArchiveError("gone")
        return ask(*given)

    monkeypatch.setattr(engines, "nearest_codes", once)
    monkeypatch.setattr(
        divided._current, "snapshot", old_snapshot_once(divided._current, divided._current.snapshot)
    )
    whole = found(divided, deadline=30)
    assert whole.partial is None
    assert ids(whole) == of_parts(*range(5), 9)


def old_snapshot_once(current, newest):
    """Return a function that gives the old snapshot once, then the newest."""
    calls = []

    def snapshot():
        calls.append(1)
        return current._snapshot if len(calls) == 1 else newest()

    return snapshot


def test_the_command_reports_a_partial_answer_and_its_status_is_1(
    archive, tmp_path, homing_cli, monkeypatch
):
    photos = make_pictures(tmp_path / "photos", 30)
    archive.add(photos)
    archive.index()
    write(archive._table, archive.codebook, names(0), unit_vectors(ROWS, 0))
    command = ("search", archive.path, photos / "003.jpg", "--engine", "lance", "--k", 1)
    ended = homing_cli(*command, "--deadline", 30, "--json")
    assert ended.status == 0
    (line,) = map(json.loads, ended.out.splitlines())
    assert "partial" not in line
    assert line["hits"][0]["id"] == "003.jpg"

    def broken(*given):
        raise homing.ArchiveError("a part is broken")

    monkeypatch.setattr(engines, "nearest_codes", broken)
    ended = homing_cli(*command, "--deadline", 30, "--json")
    assert ended.status == 1
    (line,) = map(json.loads, ended.out.splitlines())
    assert line["partial"] == {"entries_not_asked": 30, "reason": "a part is broken"}
    assert line["hits"][0]["id"].startswith("0-")
    ended = homing_cli(*command, "--deadline", 30)
    assert ended.status == 1
    assert "a partial answer: 30 entries were not searched: a part is broken" in ended.err
    assert homing_cli(*command).status == 2
    hits = homing.open(archive.path, engine="lance").search(photos / "003.jpg", deadline=30)
    assert hits.partial == Partial(30, "a part is broken")
    assert isinstance(hits, tuple)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(homing.UsageError, match="the deadline must be more than 0 seconds"):
            archive.search(photos / "003.jpg", deadline=wrong)


def test_a_later_stage_that_is_partial_takes_no_hit_away(archive, tmp_path, monkeypatch):
    """A large, calibrated archive is searched in stages; the hits of the first stay."""
    monkeypatch.setattr("homing.search.engines.combined.SEARCHED_WHOLE", 0)
    photos = make_pictures(tmp_path / "photos", 230)
    archive.add(photos)
    archive.index()
    opened = homing.open(archive.path, engine="lance")
    stranger = make_pictures(tmp_path / "stranger", 1, first=999) / "999.jpg"
    first = opened.search(stranger, probes=1)
    ask, calls = engines.nearest_codes, []

    def only_once(*given):
        calls.append(1)
        if len(calls) > 1:
            raise homing.ArchiveError("a part is broken")
        return ask(*given)

    monkeypatch.setattr(engines, "nearest_codes", only_once)
    hits = opened.search(stranger, deadline=30)
    assert len(calls) > 1
    assert hits.partial == Partial(230, "a part is broken")
    assert hits == first != ()
    assert first.partial is None


def test_a_part_that_hangs_does_not_block_other_searches(divided, monkeypatch):
    """It has its own handle of the table; others refresh and search meanwhile."""
    hanging, free = threading.Event(), threading.Event()
    batches = engines.Table.batches

    def slow(self, *given, **options):
        for batch in batches(self, *given, **options):
            hanging.set()
            free.wait(60)
            yield batch

    monkeypatch.setattr(engines.Table, "batches", slow)
    assert found(divided, deadline=0.3).partial == Partial(ROWS, "no answer within 0.3 s")
    assert hanging.is_set()
    write(divided._table, divided.codebook, names(9), unit_vectors(ROWS, 9))
    monkeypatch.setattr(engines.Table, "batches", batches)
    assert ids(found(divided)) == of_parts(*range(5), 9)
    free.set()


def test_only_the_given_segments_are_queried(divided):
    """A segment returns rows of its own fragments alone."""
    table, book = divided._table.of_generation(1), divided.codebook
    for segment in read_coverage(table, book).segments:
        _, addresses, _ = segments.nearest_codes(
            table, IndexForm(book), [segment], unit_vectors(2, 1), 500, 8
        )
        assert {int(address) >> 32 for address in addresses} == segment.fragments
