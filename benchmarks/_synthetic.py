"""Archives of synthetic entries, written directly into the table: a million take a minute."""

import time
from collections.abc import Iterator
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
from _common import require
from _rows import make_rows
from numpy.typing import NDArray

import homing
from homing.codebooks import Codebook
from homing.options import PLACES

FACTORY = "IVF1024,PQ8x8"

_BLOCK = 16_384
_SPREAD = 0.03  # standard deviation of each component's noise; far below the distance between codes


def make_archive(
    path: Path, entries: int, *, per_file: int, seed: int = 0, places: int = PLACES
) -> homing.Archive:
    """Make an archive of unit vectors scattered around the codebook's own reconstructions.

    Vectors drawn uniformly from the sphere would nearly all fall into a few cells, since real
    descriptors lie elsewhere; these fill the cells evenly. An existing archive at `path` is reused
    if it has as many entries. `per_file` is the number of entries in a data file: `entries` or more
    for a compacted archive, 512 for one filled by ``homing add`` and never compacted. A tenth of
    the entries are released, and held in so many `places`.
    """
    if path.exists():
        archive = homing.open(path)
        require(len(archive) == entries, f"{path} has {len(archive)} entries, not {entries}")
        return archive
    codebook = homing.create(path, codebook=FACTORY, places=places).codebook
    start = time.perf_counter()
    record = str(path / "entries.lance")
    schema = lance.dataset(record).schema
    reader = pa.RecordBatchReader.from_batches(schema, _batches(codebook, schema, entries, seed))
    lance.write_dataset(reader, record, mode="append", max_rows_per_file=per_file)
    archive = homing.open(path)
    require(len(archive) == entries, f"{len(archive)} entries were written instead of {entries}")
    cells = np.asarray([archive.stats()[key] for key in ("cells_used", "fullest_cell")])
    require(entries < 100_000 or bool(cells[0] == codebook.cell_count), "some cells are empty")
    print(
        f"made an archive of {entries} entries in {time.perf_counter() - start:.0f} s; "
        f"the fullest cell holds {cells[1]}"
    )
    return archive


def extend_archive(
    archive: homing.Archive, codebook: Codebook, entries: int, *, seed: int
) -> homing.Archive:
    """Append synthetic entries of the newest generation.

    They are scattered around the reconstructions of `codebook`: the same codebook and seed give the
    same vectors, whatever the archive's newest codebook is.
    """
    record, newest = str(archive.path / "entries.lance"), archive.codebook
    schema = lance.dataset(record).schema
    first_cell = np.int32(sum(each.cells for each in archive._table.generations.members[:-1]))
    before = len(archive)

    def renumbered_batches() -> Iterator[pa.RecordBatch]:
        for batch in _batches(codebook, schema, entries, seed, before):
            stored = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
            vectors = stored.reshape(batch.num_rows, -1).astype(np.float32)
            cells, codes = newest.encode_with_cells(vectors)
            columns = dict(zip(schema.names, batch.columns, strict=True))
            columns["cell"] = pa.array(cells + first_cell)
            columns["code"] = pa.array(
                [code.tobytes() for code in codes], pa.binary(codes.shape[1])
            )
            yield pa.RecordBatch.from_arrays(list(columns.values()), schema=schema)

    reader = pa.RecordBatchReader.from_batches(schema, renumbered_batches())
    lance.write_dataset(reader, record, mode="append")
    return homing.open(archive.path)


def _batches(
    codebook: Codebook, schema: pa.Schema, entries: int, seed: int, before: int = 0
) -> Iterator[pa.RecordBatch]:
    generator = np.random.default_rng(seed)
    for first in range(0, entries, _BLOCK):
        vectors = scattered(codebook, min(_BLOCK, entries - first), generator)
        numbers = range(before + first, before + first + len(vectors))
        ids = [f"photographs/2024/{n // 1000:04}/{n:07}.jpg" for n in numbers]
        states = ["released" if n % 10 == 0 else "added" for n in numbers]
        yield make_rows(codebook, schema, ids, vectors, states)


def scattered(
    codebook: Codebook, count: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return unit vectors (count, D) scattered around the reconstructions of a codebook."""
    cells = generator.integers(codebook.cell_count, size=count)
    codes = generator.integers(256, size=(count, codebook.code_size), dtype=np.uint8)
    return _add_noise(codebook.decode(cells, codes), generator)


def make_queries(archive: homing.Archive, count: int, seed: int = 1) -> NDArray[np.float32]:
    """Make unit vectors (count, D) near entries of an archive, like those of edited copies."""
    generator = np.random.default_rng(seed)
    chosen = np.sort(generator.choice(len(archive), count, replace=False))
    table = lance.dataset(str(archive.path / "entries.lance")).take(chosen.tolist(), ["vector"])
    flat = table.column("vector").combine_chunks().flatten().to_numpy(zero_copy_only=False)
    vectors = flat.reshape(count, -1).astype(np.float32)
    return _add_noise(vectors[generator.permutation(count)], generator)


def _add_noise(vectors: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    noise = generator.standard_normal(vectors.shape, dtype=np.float32)
    noisy = vectors + np.float32(_SPREAD) * noise
    return noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
