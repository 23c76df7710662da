"""Rows of an archive, its files, and commands in child processes."""

import datetime
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import homing
from homing.archive.table.commit import commit_rows, quantize
from homing.archive.table.places import places_of
from homing.archive.table.rows import Row
from homing.archive.table.table import Table
from tests.helpers.vectors import unit_vectors

NOW = datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder, by relative name."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def stamps(folder: Path) -> dict[str, int]:
    """Return the modification times of everything below a folder, in nanoseconds."""
    return {p.relative_to(folder).as_posix(): p.lstat().st_mtime_ns for p in folder.rglob("*")}


def facts(archive: "homing.Archive") -> list[tuple]:
    """Return all rows without their times, in the order of their ids."""
    rows = archive._table.rows(with_vectors=True)
    return sorted(_facts(row) for row in rows)


def _facts(row: Row) -> tuple:
    assert row.vector is not None
    fixed = (row.id, row.state, row.source_sha256, row.file_sha256, row.file, row.psnr, row.cell)
    return (*map(str, fixed), row.code, row.vector.tobytes(), str(row.metadata))


#: Python that defines `dying`: the process ends at the given call of a function, before or after.
DYING = """
import os
def dying(owner, name, times, after=True):
    function, calls = getattr(owner, name), [0]
    def wrapped(*arguments, **options):
        calls[0] += 1
        if calls[0] == times and not after:
            os._exit(77)
        result = function(*arguments, **options)
        if calls[0] == times:
            os._exit(77)
        return result
    setattr(owner, name, wrapped)
"""


def child(arguments: Sequence[str | Path], *, before: str = "") -> "subprocess.Popen[str]":
    """Start the command line in another process, which first executes the Python `before`."""
    code = f"import sys\n{before}\nfrom homing.cli import main\nmain(sys.argv[1:])\n"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(os.fspath, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def completed(process: "subprocess.Popen[str]", timeout: float = 120) -> tuple[int, str, str]:
    """Return exit status, output and errors of a process that ends by itself."""
    out, err = process.communicate(timeout=timeout)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def write(
    table: Table,
    codebook,
    names: list[str],
    vectors: np.ndarray,
    state="added",
    generation: int = 1,
) -> None:
    """Record vectors under names; those that end in 3 have metadata."""
    rows = rows_for(codebook, names, vectors, state, generation, table.places)
    assert commit_rows(table, table.to_arrow(rows)) == set()


def rows_for(
    codebook, names: list[str], vectors: np.ndarray, state="added", generation=1, places=1
) -> list[Row]:
    """Return rows for vectors under these names; those that end in 3 have metadata."""
    stored, cells, codes = quantize(codebook, vectors)
    held = [state == "released"] * len(names)
    further = places_of(codebook, stored.astype(np.float32), held, places)
    return [
        Row(
            id=name,
            state=state,
            source_sha256=hashlib.sha256(name.encode()).digest(),
            file_sha256=hashlib.sha256(state.encode() + vector.tobytes()).digest(),
            file="f" if state == "released" else None,
            width=1,
            height=1,
            psnr=None,
            created_at=NOW,
            vector=vector,
            generation=generation,
            cell=int(cell),
            code=code.tobytes(),
            metadata={"name": name} if name.endswith("3") else None,
            places=more,
        )
        for name, vector, cell, code, more in zip(names, stored, cells, codes, further, strict=True)
    ]


def row(name: str, source: int = 1, **changes) -> Row:
    """Return an added row of made-up values; each `source` is another picture."""
    made = Row(
        id=name,
        state="added",
        source_sha256=bytes([source]) * 32,
        file_sha256=bytes([source]) * 32,
        file=None,
        width=3,
        height=2,
        psnr=None,
        created_at=NOW,
        vector=unit_vectors(1, source)[0].astype(np.float16),
        cell=source % 8,
        code=bytes([source]) * 8,
        metadata=None,
    )
    return replace(made, **changes)


def released(name: str, source: int = 1, file: str = "../out/x", **changes) -> Row:
    """Return a released row of made-up values."""
    changes = {"psnr": 42.5, "file_sha256": b"f" * 32} | changes
    return row(name, source, state="released", file=file, **changes)
