"""Engines of an archive: chosen by its size and place, and built from its table."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from homing.archive.query.entries import Entries, HeldEntries
from homing.archive.table.addresses import Runs, read_runs
from homing.archive.table.columns import Columns, load_columns, return_freed_memory
from homing.archive.table.generations import StoredGenerations
from homing.archive.table.index.form import IndexForm, stored_form
from homing.archive.table.index.segments import Segment, nearest_codes, read_coverage
from homing.archive.table.places import PLACES, PackedPlaces
from homing.archive.table.rows import code_array
from homing.archive.table.table import Table
from homing.archive.table.vectors import StoredVectors
from homing.codebooks import Codebook
from homing.errors import UsageError
from homing.search.engines.combined import CombinedEngine
from homing.search.engines.deadline import Part
from homing.search.engines.lance import (
    Block,
    Found,
    LanceEngine,
    indexed_part,
    reason_against,
    unindexed_part,
)
from homing.search.engines.memory import MemoryEngine, Nearest

ENGINES = ("auto", "memory", "lance")

_HELD = 512 << 20  # bytes of codes and ids up to which "auto" holds them in memory
_BYTES_AN_ID = 48

_ROWS_A_BLOCK = 1 << 20
_RESIDENT = 4  # blocks of unindexed rows that stay in memory; further ones are read again


def check_engine(engine: str) -> str:
    """Return the name of an engine; `UsageError` if it is none."""
    if engine not in ENGINES:
        raise UsageError(f"no engine {engine!r}; there are {', '.join(ENGINES)}")
    return engine


def choose_engine(engine: str, table: Table, codebooks: Sequence[Codebook]) -> str:
    """Resolve "auto" to "memory" or "lance".

    An archive is searched in memory if it is small and on this machine, or if Lance's index cannot
    hold its codes.
    """
    if engine != "auto":
        return engine
    forms = [stored_form(table, codebook) for codebook in codebooks]
    if any(reason_against(form.codebook.factory, form.codes) is not None for form in forms):
        return "memory"
    if not isinstance(table.path, Path):
        return "lance"  # it transfers codes alone, and only those of unindexed rows
    longest = max(codebook.code_size for codebook in codebooks)
    held = len(table) * (table.places * (longest + 12) + _BYTES_AN_ID)
    return "memory" if held <= _HELD else "lance"


def open_engine(
    table: Table, codebooks: Sequence[Codebook], engine: str
) -> tuple[CombinedEngine, Entries, StoredVectors]:
    """Return the engine, entries and vectors of the current version of a table."""
    if engine == "memory":
        columns = load_columns(table)
        parts = list(_blocks_in_memory(columns, codebooks, table.generations))
        entries, vectors = HeldEntries(table, columns), StoredVectors(table, columns.runs)
        del columns
        return_freed_memory()
        return CombinedEngine(codebooks, parts), entries, vectors
    runs = read_runs(table)
    vectors = StoredVectors(table, runs)
    segmented = [
        _open_lance(table.of_generation(number), codebook, runs)
        for number, codebook in enumerate(codebooks, start=1)
    ]
    return CombinedEngine(codebooks, segmented), Entries(table), vectors


def _blocks_in_memory(
    columns: Columns, codebooks: Sequence[Codebook], stored: StoredGenerations
) -> Iterator[MemoryEngine | Block]:
    """Yield the rows of each generation; if there is one, an engine over all rows."""
    if len(codebooks) == 1:
        codes, places = columns.codes[stored.code_column(1)], columns.places
        further = places.unpack(codebooks[0].code_size)
        yield MemoryEngine(codebooks[0], columns.cells, codes, further)
        return
    generations = stored.numbers_of(columns.cells)
    for number, codebook in enumerate(codebooks, start=1):
        rows = np.flatnonzero(generations == number)
        cells = columns.cells[rows] - np.int32(stored.first_cell(number))
        codes = columns.codes[stored.code_column(number)][rows]
        further = columns.places.unpack(codebook.code_size, rows)
        yield Block(MemoryEngine(codebook, cells, codes, further), rows)


def _open_lance(table: Table, codebook: Codebook, runs: Runs) -> LanceEngine:
    coverage = read_coverage(table, codebook)
    pinned = table.pinned()
    blocks = list(_blocks(pinned, codebook, runs, coverage.unindexed))
    each = [(segment,) for segment in coverage.segments]
    together = [_segments(pinned, coverage.form, runs, coverage.segments)] if each else []
    apart = [_segments(pinned, coverage.form, runs, alone) for alone in each]

    def accepts_partial() -> bool:
        return not (table.follows_writes() and pinned.is_superseded())

    return LanceEngine(codebook, coverage.rows, together + blocks, apart + blocks, accepts_partial)


def _segments(
    table: Table, form: IndexForm, runs: Runs, segments: Sequence[Segment]
) -> Part[Nearest]:
    def search(queries: NDArray[np.float32], candidates: int, probes: int) -> Found:
        query, address, distance = nearest_codes(table, form, segments, queries, candidates, probes)
        return query, runs.numbers(address), distance

    return indexed_part(sum(segment.rows for segment in segments), search, table.places)


def _blocks(
    table: Table, codebook: Codebook, runs: Runs, unindexed: Mapping[int, int]
) -> Iterator[Part[Nearest]]:
    """Yield blocks of unindexed rows: the first are held, the others read when needed.

    `unindexed` has the number of rows of each fragment.
    """
    for number, group in enumerate(_group_fragments(unindexed)):
        read = functools.partial(_read_block, table, codebook, runs, group)
        rows = sum(unindexed[fragment] for fragment in group)
        yield unindexed_part(rows, functools.cache(read) if number < _RESIDENT else read)


def _group_fragments(unindexed: Mapping[int, int]) -> Iterator[tuple[int, ...]]:
    """Yield groups of fragments of about a block's rows each."""
    group: list[int] = []
    rows = 0
    for number, count in unindexed.items():
        group.append(number)
        rows += count
        if rows >= _ROWS_A_BLOCK:
            yield tuple(group)
            group, rows = [], 0
    if group:
        yield tuple(group)


def _read_block(table: Table, codebook: Codebook, runs: Runs, fragments: tuple[int, ...]) -> Block:
    cells, codes, addresses, places = [], [], [], []
    further = [PLACES] if table.places > 1 else []
    count = 0
    names = ["cell", "code", *further]
    for batch in table.batches(names, addresses=True, fragments=fragments):
        cells.append(batch.column("cell").to_numpy())
        codes.append(code_array(batch.column("code"), codebook.code_size))
        addresses.append(batch.column("_rowaddr").to_numpy())
        places += [PackedPlaces.of(batch.column(name), count) for name in further]
        count += batch.num_rows
    held = PackedPlaces.joined(places).unpack(codebook.code_size)
    engine = MemoryEngine(codebook, np.concatenate(cells), np.concatenate(codes), held)
    return Block(engine, runs.numbers(np.concatenate(addresses)))
