"""Which engine searches an archive, and what it is made of."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homing.archive.query.entries import Entries, HeldEntries, ReadEntries
from homing.archive.table.addresses import Runs, read_runs
from homing.archive.table.columns import Columns, load_columns, return_freed_memory
from homing.archive.table.generations import StoredGenerations
from homing.archive.table.index import Segment, nearest_codes, read_coverage
from homing.archive.table.rows import code_array
from homing.archive.table.table import Table
from homing.archive.table.vectors import StoredVectors
from homing.codebooks import Codebook
from homing.errors import UsageError
from homing.search import (
    Block,
    CombinedEngine,
    LanceEngine,
    MemoryEngine,
    Nearest,
    Part,
    indexed,
    reason_against,
    unindexed,
)

ENGINES = ("auto", "memory", "lance")

_HELD = 512 << 20  # bytes of codes and ids that are held in memory without being asked to
_BYTES_AN_ID = 48

_ROWS_A_BLOCK = 1 << 20
_RESIDENT = 4  # blocks of rows without an index that stay in memory; further ones are read anew


def check_engine(engine: str) -> str:
    """Refuse a name that is no engine's."""
    if engine not in ENGINES:
        raise UsageError(f"no engine {engine!r}; there are {', '.join(ENGINES)}")
    return engine


def choose(asked: str, table: Table, codebooks: Sequence[Codebook]) -> str:
    """Name the engine that searches a record.

    Parameters
    ----------
    asked : {"auto", "memory", "lance"}
        "auto": in memory what is small and on this machine, and all that Lance's index cannot
        hold; else "lance".
    table : Table
    codebooks : sequence of Codebook
        Of its generations.
    """
    if asked != "auto":
        return asked
    if any(reason_against(codebook.factory) is not None for codebook in codebooks):
        return "memory"
    if not isinstance(table.path, Path):
        return "lance"  # it takes the codes alone, and those only that no index covers
    longest = max(codebook.code_size for codebook in codebooks)
    held = len(table) * (longest + 12 + _BYTES_AN_ID)
    return "memory" if held <= _HELD else "lance"


def opened(
    table: Table, codebooks: Sequence[Codebook], engine: str
) -> tuple[CombinedEngine, Entries, StoredVectors]:
    """Engine, entries and vectors of the version of a record that is in view."""
    if engine == "memory":
        return _in_memory(table, codebooks)
    runs = read_runs(table)
    vectors = StoredVectors(table, runs)
    parts = [
        _through_lance(table.of_generation(number), codebook, runs)
        for number, codebook in enumerate(codebooks, start=1)
    ]
    return CombinedEngine(codebooks, parts), ReadEntries(table), vectors


def _in_memory(
    table: Table, codebooks: Sequence[Codebook]
) -> tuple[CombinedEngine, HeldEntries, StoredVectors]:
    columns = load_columns(table)
    engine = CombinedEngine(
        codebooks, list(_blocks_in_memory(columns, codebooks, table.generations))
    )
    entries, vectors = HeldEntries(table, columns), StoredVectors(table, columns.runs)
    del columns
    return_freed_memory()
    return engine, entries, vectors


def _blocks_in_memory(
    columns: Columns, codebooks: Sequence[Codebook], layout: StoredGenerations
) -> Iterator[MemoryEngine | Block]:
    """Each generation's rows; all of them where there is one."""
    if len(codebooks) == 1:
        yield MemoryEngine(codebooks[0], columns.cells, columns.codes[layout.code_column(1)])
        return
    generations = layout.numbers_of(columns.cells)
    for number, codebook in enumerate(codebooks, start=1):
        rows = np.flatnonzero(generations == number)
        cells = columns.cells[rows] - np.int32(layout.first_cell(number))
        codes = columns.codes[layout.code_column(number)][rows]
        yield Block(MemoryEngine(codebook, cells, codes), rows)


def _through_lance(table: Table, codebook: Codebook, runs: Runs) -> LanceEngine:
    now = read_coverage(table, codebook)
    read = table.pinned()
    blocks = list(_blocks(read, codebook, runs, now.unindexed))
    each = [(segment,) for segment in now.segments]
    together = [_segments(read, codebook, runs, now.segments)] if each else []
    apart = [_segments(read, codebook, runs, alone) for alone in each]

    def worth_it() -> bool:
        return not (table.follows_writes() and read.is_superseded())

    return LanceEngine(codebook, now.rows, together + blocks, apart + blocks, worth_it)


def _segments(
    table: Table, codebook: Codebook, runs: Runs, segments: Sequence[Segment]
) -> Part[Nearest]:
    def ask(
        queries: NDArray[np.float32], candidates: int, probes: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        query, address, distance = nearest_codes(
            table, codebook, segments, queries, candidates, probes
        )
        return query, runs.numbers(address), distance

    return indexed(sum(segment.rows for segment in segments), ask)


def _blocks(
    table: Table, codebook: Codebook, runs: Runs, loose: Mapping[int, int]
) -> Iterator[Part[Nearest]]:
    """Rows that no index covers, some at a time: the first held, the others read when wanted."""
    for number, group in enumerate(_grouped(loose)):
        read = functools.partial(_block, table, codebook, runs, group)
        rows = sum(loose[fragment] for fragment in group)
        yield unindexed(rows, functools.cache(read) if number < _RESIDENT else read)


def _grouped(loose: Mapping[int, int]) -> Iterator[tuple[int, ...]]:
    """Fragments in groups of about so many rows as make a block."""
    group: list[int] = []
    rows = 0
    for number, count in loose.items():
        group.append(number)
        rows += count
        if rows >= _ROWS_A_BLOCK:
            yield tuple(group)
            group, rows = [], 0
    if group:
        yield tuple(group)


def _block(table: Table, codebook: Codebook, runs: Runs, fragments: tuple[int, ...]) -> Block:
    cells, codes, addresses = [], [], []
    for batch in table.batches(["cell", "code"], addresses=True, fragments=fragments):
        cells.append(batch.column("cell").to_numpy())
        codes.append(code_array(batch.column("code"), codebook.code_size))
        addresses.append(batch.column("_rowaddr").to_numpy())
    engine = MemoryEngine(codebook, np.concatenate(cells), np.concatenate(codes))
    return Block(engine, runs.numbers(np.concatenate(addresses)))
