"""Rows of the table: one picture each, and their form in Arrow."""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.generations import StoredGenerations
from homing.archive.table.lance_internals import PRIMARY_KEY
from homing.archive.table.places import places_field, unpack_places

_LONGEST_CODE = 64  # bytes that are shown

PREVIEW = pa.field("preview", pa.string())
"""Column of references to previews; archives made without it get it with their first preview."""


@dataclass(frozen=True)
class PreviewReference:
    """Place of an entry's preview in a pack; a row has its text, ``PACK:OFFSET:LENGTH``."""

    pack: str  # name of the file
    offset: int  # bytes
    length: int

    @classmethod
    def parse(cls, text: str) -> "PreviewReference":
        """Read a row's text; ValueError if it is damaged."""
        pack, offset, length = text.split(":")
        if "/" in pack or "\\" in pack:
            raise ValueError(f"{pack!r} is no name of a file")
        return cls(pack, int(offset), int(length))

    def __str__(self) -> str:
        """Return the text as a row has it."""
        return f"{self.pack}:{self.offset}:{self.length}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture as recorded.

    ``vector`` is the descriptor; of a released picture it lies between those of its source and of
    its file (:func:`homing.activation.recorded_vectors`). ``cell`` and ``code`` are what the
    codebook of its ``generation`` makes of exactly that vector.
    """

    id: str
    state: str  # "released" or "added"
    source_sha256: bytes
    file_sha256: bytes
    file: str | None  # of a released picture; relative to the archive's folder where possible
    width: int
    height: int
    psnr: float | None  # dB; None: added, or released unchanged
    created_at: datetime.datetime
    vector: NDArray[np.float16] | None  # (D,)
    cell: int
    code: bytes
    metadata: Mapping[str, Any] | None
    generation: int = 1
    preview: str | None = None  # where it is: see `PreviewReference`
    places: bytes | None = None  # further cells that it is held in, with codes

    def as_dict(self) -> dict[str, Any]:
        """Return the keys of a ``--json`` line."""
        return {
            "id": self.id,
            "state": self.state,
            "file": self.file,
            "width": self.width,
            "height": self.height,
            "psnr": None if self.psnr is None else round(self.psnr, 3),
            "generation": self.generation,
            "cell": self.cell,
            "further_cells": self.further_cells,
            "code": (
                self.code.hex() if len(self.code) <= _LONGEST_CODE else f"{len(self.code)} bytes"
            ),
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "source_sha256": self.source_sha256.hex(),
            "file_sha256": self.file_sha256.hex(),
            "preview_bytes": PreviewReference.parse(self.preview).length if self.preview else None,
            "metadata": dict(self.metadata or {}),
        }

    @property
    def further_cells(self) -> list[int]:
        """Cells beside its own that the entry is held in."""
        cells: list[int] = unpack_places(self.places, len(self.code))[0].tolist()
        return cells


def is_source(digest: bytes, row: Mapping[str, Any]) -> bool:
    """Return whether a file is the source of an entry; of an added one also as it is now."""
    now = row["file_sha256"] if row["state"] == "added" else None
    return digest in (row["source_sha256"], now)


def row_schema(dimension: int, code_size: int, places: int = 1) -> pa.Schema:
    """Arrow schema of the rows in a table of one generation, released ones in `places` cells."""
    schema = pa.schema(
        [
            pa.field("id", pa.string(), nullable=False, metadata=PRIMARY_KEY),
            pa.field("state", pa.string(), nullable=False),
            pa.field("source_sha256", pa.binary(32), nullable=False),
            pa.field("file_sha256", pa.binary(32), nullable=False),
            pa.field("file", pa.string()),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("psnr", pa.float32()),
            pa.field("created_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("vector", pa.list_(pa.float16(), dimension), nullable=False),
            pa.field("cell", pa.int32(), nullable=False),
            pa.field("code", pa.binary(code_size), nullable=False),
            pa.field("metadata", pa.string()),
            PREVIEW,
        ]
    )
    return schema if places == 1 else schema.append(places_field(places))


def schema_with_generations(generations: StoredGenerations, dimension: int) -> pa.Schema:
    """Arrow schema of the rows, with the code columns of all generations."""
    schema = row_schema(dimension, generations.members[0].code_size)
    for number in generations.numbers:
        if generations.code_column(number) not in schema.names:
            code = pa.binary(generations.members[number - 1].code_size)
            schema = schema.append(pa.field(generations.code_column(number), code))
    return schema


def rows_to_table(
    rows: Sequence[Row], schema: pa.Schema, generations: StoredGenerations
) -> pa.Table:
    """Convert rows, with their vectors, to an Arrow table."""
    dimension = schema.field("vector").type.list_size
    vectors = np.concatenate([row.vector for row in rows if row.vector is not None])
    columns: dict[str, pa.Array] = {}
    for field in schema:
        if field.name == "vector":
            values = pa.array(vectors, pa.float16())
            columns["vector"] = pa.FixedSizeListArray.from_arrays(values, dimension)
        elif field.name == "metadata":
            texts = [metadata_text(row.metadata) for row in rows]
            columns["metadata"] = pa.array(texts, pa.string())
        elif field.name == "cell":
            cells = [row.cell + generations.first_cell(row.generation) for row in rows]
            columns["cell"] = pa.array(cells, field.type)
        elif field.name in generations.code_columns:
            own = [generations.code_column(row.generation) == field.name for row in rows]
            codes = [r.code if o else _no_code(field) for r, o in zip(rows, own, strict=True)]
            columns[field.name] = pa.array(codes, field.type)
        else:
            columns[field.name] = pa.array([getattr(r, field.name) for r in rows], field.type)
    return pa.table(columns, schema=schema)


def _no_code(field: pa.Field) -> bytes | None:
    """Value of a code column for a row whose code is in another one."""
    return None if field.nullable else bytes(field.type.byte_width)


def metadata_text(metadata: Mapping[str, Any] | None) -> str | None:
    """Return metadata as the table has them."""
    return json.dumps(metadata, ensure_ascii=False, sort_keys=True) if metadata else None


def metadata_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Read the metadata of a row from its columns' values."""
    text = values["metadata"]
    return json.loads(text) if text else {}


def row_from_values(
    values: dict[str, Any], vector: NDArray[np.float16] | None, generations: StoredGenerations
) -> Row:
    """Make a row from its columns' values, and its vector if it was read."""
    metadata = metadata_of(values) or None
    del values["metadata"]
    number, cell = generations.split_cell(values.pop("cell"))
    codes = {name: values.pop(name) for name in generations.code_columns}
    return Row(
        **values,
        vector=vector,
        generation=number,
        cell=cell,
        code=codes[generations.code_column(number)],
        metadata=metadata,
    )


def code_array(column: pa.FixedSizeBinaryArray, size: int) -> NDArray[np.uint8]:
    """View a column of codes as (n, size) uint8, without a copy."""
    values = np.frombuffer(column.buffers()[1], dtype=np.uint8)
    first = column.offset * size
    return values[first : first + len(column) * size].reshape(len(column), size)


def codes_of_generation(
    rows: pa.Table, generations: StoredGenerations, number: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]:
    """Return the positions of a generation's n rows, their own cells and (n, size) codes."""
    cells = rows.column("cell").to_numpy()
    positions = np.flatnonzero(generations.numbers_of(cells) == number)
    column = rows.column(generations.code_column(number)).combine_chunks()
    codes = code_array(column, generations.members[number - 1].code_size)
    own = cells[positions] - np.int32(generations.first_cell(number))
    return positions, own.astype(np.int32, copy=False), codes[positions]


def renumber(
    rows: pa.Table,
    theirs: StoredGenerations,
    ours: StoredGenerations,
    same: Mapping[int, int],
    schema: pa.Schema,
) -> pa.Table:
    """Convert rows of another table, whose generation `g` is `same[g]` in ours.

    `schema` is of the result: the code columns of `ours`, and the other columns of `rows`.
    """
    cells = np.zeros(rows.num_rows, np.int32)
    codes: dict[str, list[bytes | None]] = {
        name: [_no_code(schema.field(name))] * rows.num_rows for name in ours.code_columns
    }
    for their_number, number in same.items():
        positions, own, stored = codes_of_generation(rows, theirs, their_number)
        cells[positions] = own + np.int32(ours.first_cell(number))
        column = codes[ours.code_column(number)]
        for position, code in zip(positions.tolist(), stored, strict=True):
            column[position] = code.tobytes()
    columns = {name: pa.array(values, schema.field(name).type) for name, values in codes.items()}
    columns["cell"] = pa.array(cells)
    converted = [columns[n] if n in columns else rows.column(n) for n in schema.names]
    return pa.table(converted, schema=schema)
