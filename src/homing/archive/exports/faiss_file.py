"""Archives as Faiss indexes: a file that plain Faiss opens, with homing's answers, and its ids."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa

from homing.archive.ingest.run import refuse_store
from homing.archive.query.cells import codebook_of
from homing.archive.table.columns import load_columns
from homing.archive.table.table import Table
from homing.codebooks.codebook import Codebook
from homing.codebooks.faiss_index import write_faiss_index
from homing.errors import UsageError
from homing.files.durable import publish, staged_beside, sync_file, sync_folder
from homing.images.limits import shown
from homing.options import PathLike
from homing.search.engines.combined import SEARCHED_WHOLE
from homing.search.engines.memory import automatic_probes

_ENDING = ".faiss"
IDS = ".ids.json"  # after the index file's own name

_IDS_AT_ONCE = 65_536


def is_index(file: PathLike) -> bool:
    """Return whether a file's name is that of a Faiss index."""
    return Path(file).suffix.lower() == _ENDING


def export_index(
    table: Table,
    codebooks: Sequence[Codebook],
    file: PathLike,
    generation: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Write the entries of a generation to a new Faiss index, and their ids beside it.

    Entry i of the index has the i-th id. It visits as many cells as homing would. Returns the
    number of entries; UsageError if a file exists, or if there are several generations and none is
    named.
    """
    refuse_store(file)
    final = Path(file)
    beside = final.with_name(final.name + IDS)
    for each in (final, beside):
        if each.exists() or each.is_symlink():  # before the work, and again by `publish`
            raise UsageError(f"{shown(each)} exists already; name another file")
    number = _number(len(codebooks), generation)
    codebook, stored = codebook_of(codebooks, number), table.generations
    columns = load_columns(table)
    rows = np.flatnonzero(stored.numbers_of(columns.cells) == number)
    cells = columns.cells[rows] - np.int32(stored.first_cell(number))
    index = codebook.index(cells, columns.codes[stored.code_column(number)][rows])
    few = len(rows) < SEARCHED_WHOLE
    probes = codebook.cell_count if few else automatic_probes(codebook.cell_count)
    try:
        with ExitStack() as stack:
            staged, ids = (stack.enter_context(staged_beside(each)) for each in (final, beside))
            _write_ids(ids, columns.ids.take(pa.array(rows)))
            write_faiss_index(index, staged, probes)
            sync_file(staged)
            publish(ids, beside)
            publish(staged, final)
            sync_folder(final.parent)
    except FileExistsError as error:
        taken = shown(error.filename2 or final)
        raise UsageError(f"{taken} exists already; name another file") from None
    except OSError as error:
        raise UsageError(f"nothing can be written to {shown(final)}: {error}") from error
    if progress is not None:
        progress(len(rows))
    return len(rows)


def _number(count: int, generation: int | None) -> int:
    if generation is None and count > 1:
        raise UsageError(
            f"the archive has {count} codebooks, and a Faiss index has one: name a generation "
            "(--generation), and write a file for each"
        )
    return 1 if generation is None else generation


def _write_ids(path: Path, ids: pa.Array) -> None:
    """Write ids as one JSON array, one a line."""
    with path.open("x", encoding="utf-8") as file:
        file.write("[")
        for first in range(0, len(ids), _IDS_AT_ONCE):
            file.writelines(_lines(ids[first : first + _IDS_AT_ONCE].to_pylist(), first))
        file.write("\n]\n")
        file.flush()
        os.fsync(file.fileno())


def _lines(ids: Iterable[str], first: int) -> Iterable[str]:
    for number, name in enumerate(ids, start=first):
        yield (",\n" if number else "\n") + json.dumps(name, ensure_ascii=False)
