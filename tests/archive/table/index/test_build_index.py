"""Indexes built and extended: their segments, their workers, and kills in the middle."""

import contextlib
import os
import signal
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

import homing
from homing.archive.table.index import build_index as indexing
from homing.archive.table.index.build_index import build_index, plan_segments
from homing.archive.table.index.form import IndexForm
from homing.archive.table.index.segments import Coverage, Segment, read_coverage
from homing.archive.table.table import Table
from homing.workers import processes
from tests.helpers import ROOT
from tests.helpers.archive import child, completed, write
from tests.helpers.index import compare, names, new_table
from tests.helpers.vectors import unit_vectors


def test_segments_are_few_and_bounded(tmp_path, codebooks, monkeypatch):
    codebook = codebooks["IVF8,PQ8x8"]
    table = new_table(tmp_path, codebook)
    for part in range(9):
        write(table, codebook, names(20 * part, 20), unit_vectors(20, part))
        build_index(table, codebook)
    now = read_coverage(table, codebook)
    assert [s.rows for s in now.segments] != [20] * 9
    assert len(now.segments) <= 4  # of a binary counter's nine
    compare(table, codebook)
    monkeypatch.setattr(indexing, "_most_rows", lambda table, codebook: 50)
    write(table, codebook, names(500, 120), unit_vectors(120, 50))
    for part in range(3):
        write(table, codebook, names(700 + 30 * part, 30), unit_vectors(30, 60 + part))
    build_index(table, codebook)
    assert not read_coverage(table, codebook).unindexed
    assert {120, 30} <= {s.rows for s in read_coverage(table, codebook).segments}
    compare(table, codebook)


def test_the_plan_covers_unindexed_rows_and_nothing_twice(codebooks):
    form = IndexForm(codebooks["PQ8"])
    generator = np.random.default_rng(0)
    for _ in range(200):
        most = int(generator.integers(5, 40))
        rows = {n: int(generator.integers(1, 30)) for n in range(int(generator.integers(1, 12)))}
        covered, number = [], 0
        while number < len(rows) - 1 and generator.random() < 0.6:
            size = int(generator.integers(1, 3))
            part = frozenset(range(number, min(number + size, len(rows) - 1)))
            covered.append(Segment(part, sum(rows[n] for n in part)))
            number += size
        unindexed = {n: rows[n] for n in rows if not any(n in s.fragments for s in covered)}
        workers = int(generator.integers(1, 5))
        plan = plan_segments(Coverage(tuple(covered), unindexed, form), most=most, workers=workers)
        chosen = [n for group in plan for n in group]
        assert len(chosen) == len(set(chosen))
        assert set(unindexed) <= set(chosen)
        for group in plan:
            assert sum(rows[n] for n in group) <= most or len(group) == 1
        for segment in covered:  # whole or not at all, in one group
            touched = [group for group in plan if segment.fragments & set(group)]
            assert not touched or (len(touched) == 1 and segment.fragments <= set(touched[0]))
    assert plan_segments(Coverage((Segment(frozenset({1}), 3),), {}, form), most=10) == []


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_segments_stay_few_after_many_runs_by_many_workers(codebooks, workers):
    segments, most, form = [], 5_000, IndexForm(codebooks["PQ8"])
    for run in range(60):
        unindexed = {8 * run + part: 125 for part in range(8)}
        sizes = dict.fromkeys(range(8 * (run + 1)), 125)
        for group in plan_segments(
            Coverage(tuple(segments), unindexed, form), most=most, workers=workers
        ):
            segments = [s for s in segments if not s.fragments <= set(group)]
            segments.append(Segment(frozenset(group), sum(sizes[n] for n in group)))
        assert sum(s.rows for s in segments) == 1000 * (run + 1)
        assert max(s.rows for s in segments) <= most
        full = 1000 * (run + 1) / most
        assert len(segments) <= 2 * full + 4 * workers


#: The indexer builds one segment for each fragment, and marks a file after each.
SLOWLY = """
import os, time
import homing.archive.table.index.build_index as indexing
indexing._most_rows = lambda table, codebook: 1
build_segment = indexing.build_segment
def build_and_mark(*arguments):
    segment = build_segment(*arguments)
    open({flag!r}, "a").write("x")
    time.sleep({pause})
    return segment
indexing.build_segment = build_and_mark
"""


def wait_for(path: Path, size: int = 1) -> None:
    end = time.monotonic() + 100
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for temporary files, so that indexes of other tests are not taken for ours."""
    folder = str(tmp_path_factory.mktemp("t"))  # a short name, for the names of sockets are short
    monkeypatch.setenv("TMPDIR", folder)
    monkeypatch.setattr(tempfile, "tempdir", folder)


def leftovers() -> set[str]:
    return {p.name for p in Path(tempfile.gettempdir()).glob("homing-index-*")}


def test_killed_in_the_middle_of_indexing(archive, tmp_path):
    for part in range(4):
        write(archive._table, archive.codebook, names(50 * part, 50), unit_vectors(50, part))
    before = leftovers()
    flag = tmp_path / "flag"
    process = child(["index", archive.path], before=SLOWLY.format(flag=str(flag), pause=600))
    wait_for(flag)  # built and not yet committed
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert homing.open(archive.path).stats()["indexed"] == 0
    compare(Table.open(archive.path / "entries.lance"), archive.codebook)
    flag.unlink()
    process = child(["index", archive.path], before=SLOWLY.format(flag=str(flag), pause=0.5))
    wait_for(flag, 3)  # two committed, the third not yet
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert homing.open(archive.path).stats()["indexed"] == 100
    compare(Table.open(archive.path / "entries.lance"), archive.codebook)
    status, _, err = completed(child(["index", archive.path]))
    assert status == 0, err
    assert leftovers() <= before  # folders of the killed run are gone too
    opened = homing.open(archive.path)
    assert opened.stats()["indexed"] == 200
    assert opened.verify().clean
    compare(opened._table, archive.codebook)


def test_killed_before_its_folder_had_a_lock(archive, tmp_path, monkeypatch):
    """An empty folder is removed by others; a run that loses its folder so makes another."""
    write(archive._table, archive.codebook, names(0, 50), unit_vectors(50, 0))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "homing-index-abandoned").mkdir()
    make, made = tempfile.mkdtemp, []

    def tidied(**options: str) -> str:
        folder = make(**options)
        if not made:
            Path(folder).rmdir()
        made.append(folder)
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", tidied)
    assert archive.index().indexed == 50
    assert len(made) > 1
    assert leftovers() == set()


WRITER = """
import numpy as np, homing, sys
sys.path.insert(0, {tests!r})
from tests.helpers.archive import write
from tests.helpers.vectors import unit_vectors
archive = homing.open({archive!r})
for part in range({first}, {first} + 12):
    names = [f"{{20 * part + n:05}}" for n in range(20)]
    write(archive._table, archive.codebook, names, unit_vectors(20, 100 + part))
    if part % 4 == 3:
        archive.remove(names[:5])
        archive.compact()
sys.exit()
"""


def test_writers_and_indexers_at_once(archive, tmp_path):
    """Two write, remove and compact while two index; nothing is lost or doubled."""
    write(archive._table, archive.codebook, names(0, 50), unit_vectors(50, 1))
    fill = {"tests": str(ROOT), "archive": str(archive.path)}
    writers = [child([], before=WRITER.format(first=first, **fill)) for first in (5, 30)]
    while any(writer.poll() is None for writer in writers):
        indexers = [child(["index", archive.path]) for _ in range(2)]
        for indexer in indexers:
            status, _, err = completed(indexer)
            assert status == 0, err
        table = Table.open(archive.path / "entries.lance")
        # Tried again if compaction has removed the version, as an archive's methods do.
        table.retry(partial(compare, table, archive.codebook, probes=(2,)))
    for writer in writers:
        status, _, err = completed(writer)
        assert status == 0, err
    opened = homing.open(archive.path)
    expected = set(names(0, 50)) | set(names(100, 240)) | set(names(600, 240))
    for part in range(5, 42):
        if part % 4 == 3 and (part < 17 or part >= 30):
            expected -= set(names(20 * part, 5))
    listed = [row.id for row in opened.entries()]
    assert len(listed) == len(set(listed))
    assert set(listed) == expected
    opened.index()
    assert opened.stats()["indexed"] == len(expected)
    assert opened.verify().clean
    compare(opened._table, archive.codebook)


def test_several_workers_and_one_of_them_killed(archive):
    """A worker that dies in the middle of its part costs a try; no row is doubled or lost."""
    for part in range(6):
        write(archive._table, archive.codebook, names(50 * part, 50), unit_vectors(50, part))
    before = leftovers()
    killed = []

    def kill() -> None:
        end = time.monotonic() + 100
        while not killed and time.monotonic() < end:
            if leftovers() - before:  # one has begun
                for process in psutil.Process().children():
                    with contextlib.suppress(psutil.NoSuchProcess):  # or one that has just ended
                        if "spawn_main" in " ".join(process.cmdline()):
                            process.kill()
                            killed.append(process.pid)
                            break
            time.sleep(0.001)

    thread = threading.Thread(target=kill)
    thread.start()
    done = archive.index(workers=2)
    thread.join()
    assert killed
    assert (done.entries, done.indexed, done.added) == (300, 300, 300)
    assert archive.verify(files=False).clean
    compare(archive._table, archive.codebook)
    archive.index()
    write(archive._table, archive.codebook, names(900, 5), unit_vectors(5, 50))
    archive.index()
    assert leftovers() <= before


def test_workers_that_die_again_and_again_are_reported(archive, monkeypatch):
    for part in range(4):
        write(archive._table, archive.codebook, names(50 * part, 50), unit_vectors(50, part))
    monkeypatch.setattr(indexing, "_begin", dying)
    monkeypatch.setattr(processes, "TRIES", 1)
    with pytest.raises(homing.UsageError, match="the processes that build the index die"):
        archive.index(workers=2)
    with pytest.raises(homing.UsageError, match="at least one worker"):
        archive.index(workers=0)
    compare(archive._table, archive.codebook)


def dying(*given: object) -> None:
    os._exit(9)
