"""Columns held in memory: equal to the table's, and hardly larger."""

import subprocess
import sys

import pyarrow as pa
import pytest

from homing.archive.table import columns as module
from homing.archive.table.columns import load_columns
from homing.archive.table.table import Table
from tests.helpers.archive import write
from tests.helpers.vectors import unit_vectors

IDS = ["a", "ä/ö.jpg", "日本/写真3", "", "x" * 300, "b3"]


@pytest.fixture
def table(tmp_path, codebook) -> Table:
    table = Table.create(tmp_path / "record", dimension=codebook.dimension, code_size=8)
    write(table, codebook, IDS[:2], unit_vectors(2, 1))
    write(table, codebook, IDS[2:], unit_vectors(4, 2), "released")
    return table


@pytest.mark.parametrize("limit", [2**31 - 1, 10])
def test_columns_are_those_of_the_record(table, codebook, monkeypatch, limit) -> None:
    monkeypatch.setattr(module, "_LARGEST_OFFSET", limit)
    columns = load_columns(table)
    assert columns.ids.type == (pa.string() if limit > 10 else pa.large_string())
    columns.ids.validate(full=True)
    rows = list(table.rows(with_vectors=True))
    assert columns.ids.to_pylist() == [row.id for row in rows]
    assert sorted(row.id for row in rows) == sorted(IDS)
    assert columns.cells.tolist() == [row.cell for row in rows]
    assert [code.tobytes() for code in columns.codes["code"]] == [row.code for row in rows]
    assert columns.released.tolist() == [row.state == "released" for row in rows]
    assert columns.has_metadata.tolist() == [row.metadata is not None for row in rows]
    assert columns.runs.count == len(rows)


def test_an_empty_record(tmp_path, codebook) -> None:
    columns = load_columns(Table.create(tmp_path / "r", dimension=codebook.dimension, code_size=8))
    assert len(columns.ids) == columns.runs.count == len(columns.codes["code"]) == 0


_SCRIPT = """
import pathlib
from homing.archive.table.columns import return_freed_memory
def resident():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024
held = [bytearray(1500) for _ in range(60_000)]
pins = held[::1000]  # what is in use keeps the heap from shrinking by itself
del held
before = resident()
return_freed_memory()
print(before - resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_goes_back_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], check=True, capture_output=True, text=True, timeout=120
    )
    assert int(done.stdout) > 40  # MiB, of 86
