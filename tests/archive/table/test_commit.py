"""Two processes that share no memory fill one archive at once."""

import time

import pyarrow as pa
import pytest

import homing
from tests.helpers import ROOT
from tests.helpers.archive import child, completed

EACH = 20_000
SHARED = 2_000  # which both of them add

#: Adds made-up rows in commits as large as those of `add`, from a given number on.
WRITER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import homing
from tests.helpers.archive import unit_vectors, write
archive = homing.open({archive!r})
Path({ready!r}).touch()
while not Path({signal!r}).exists():
    time.sleep(0.002)
for start in range({first}, {first} + {count}, 512):
    count = min(512, {first} + {count} - start)
    names = [f"{{number:06}}" for number in range(start, start + count)]
    write(archive._table, archive.codebook, names, unit_vectors(count, start))
sys.exit()
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_writers_add_twenty_thousand_rows_each(archive, tmp_path):
    """None is lost and none doubled, nor of those that both of them add."""
    signal, writers = tmp_path / "signal", []
    fill = {"tests": str(ROOT), "archive": str(archive.path), "count": EACH}
    ready = [tmp_path / "ready-0", tmp_path / "ready-1"]
    for mark, first in zip(ready, (0, EACH - SHARED), strict=True):
        before = WRITER.format(first=first, ready=str(mark), signal=str(signal), **fill)
        writers.append(child([], before=before))
    while not all(mark.exists() for mark in ready):
        assert all(writer.poll() is None for writer in writers)
        time.sleep(0.01)
    signal.touch()
    for writer in writers:
        status, _, err = completed(writer, timeout=800)
        assert status == 0, err
    opened = homing.open(archive.path)
    ids = pa.concat_arrays(batch.column("id") for batch in opened._table.batches(["id"]))
    assert sorted(ids.to_pylist()) == [f"{number:06}" for number in range(2 * EACH - SHARED)]
    assert opened.verify(files=False).clean
