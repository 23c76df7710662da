"""Rows of the record: what is known of one picture, and how it stands in Arrow."""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.generations import Generations

_LONGEST_CODE = 64  # bytes that are shown

# Without it concurrent merges of the same ids were seen to double rows.
_PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture as recorded; see the contract's list of columns.

    ``vector`` is the descriptor, (D,) float16: of a released picture what lies between those of its
    source and of its file (:func:`homing.activation.recorded_vectors`). ``cell`` and ``code`` are
    what the codebook of its ``generation`` makes of exactly that vector. ``file`` is
    where a released file was written, relative to the archive's folder where that is possible.
    """

    id: str
    state: str  # "released" or "added"
    source_sha256: bytes
    file_sha256: bytes
    file: str | None
    width: int
    height: int
    psnr: float | None  # dB; None: added, or released unchanged
    created_at: datetime.datetime
    vector: NDArray[np.float16] | None
    cell: int
    code: bytes
    metadata: Mapping[str, Any] | None
    generation: int = 1

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
            "code": (
                self.code.hex() if len(self.code) <= _LONGEST_CODE else f"{len(self.code)} bytes"
            ),
            "created_at": self.created_at.isoformat(timespec="seconds"),
            "source_sha256": self.source_sha256.hex(),
            "file_sha256": self.file_sha256.hex(),
            "metadata": dict(self.metadata or {}),
        }


def row_schema(dimension: int, code_size: int) -> pa.Schema:
    """Arrow schema of the rows, for descriptors of `dimension` and codes of `code_size` bytes."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False, metadata=_PRIMARY_KEY),
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
        ]
    )


def rows_to_table(rows: Sequence[Row], schema: pa.Schema, layout: Generations) -> pa.Table:
    """Rows, with their vectors, as an Arrow table."""
    dimension = schema.field("vector").type.list_size
    vectors = np.concatenate([row.vector for row in rows if row.vector is not None])
    columns: dict[str, pa.Array] = {}
    for field in schema:
        if field.name == "vector":
            values = pa.array(vectors, pa.float16())
            columns["vector"] = pa.FixedSizeListArray.from_arrays(values, dimension)
        elif field.name == "metadata":
            texts = [_metadata_text(row.metadata) for row in rows]
            columns["metadata"] = pa.array(texts, pa.string())
        elif field.name == "cell":
            cells = [row.cell + layout.first_cell(row.generation) for row in rows]
            columns["cell"] = pa.array(cells, field.type)
        elif field.name in layout.columns:
            columns[field.name] = pa.array(_codes(rows, field, layout), field.type)
        else:
            columns[field.name] = pa.array([getattr(r, field.name) for r in rows], field.type)
    return pa.table(columns, schema=schema)


def _codes(rows: Sequence[Row], field: pa.Field, layout: Generations) -> list[bytes | None]:
    """Codes that lie in a column; what stands for those that lie in another one."""
    nothing = None if field.nullable else bytes(field.type.byte_width)
    return [r.code if layout.column(r.generation) == field.name else nothing for r in rows]


def _metadata_text(metadata: Mapping[str, Any] | None) -> str | None:
    return json.dumps(metadata, ensure_ascii=False, sort_keys=True) if metadata else None


def row_of(values: dict[str, Any], vector: NDArray[np.float16] | None, layout: Generations) -> Row:
    """Row of the columns' values, and its vector if it was read."""
    metadata = values.pop("metadata")
    number, cell = layout.own(values.pop("cell"))
    codes = {name: values.pop(name) for name in layout.columns}
    return Row(
        **values,
        vector=vector,
        generation=number,
        cell=cell,
        code=codes[layout.column(number)],
        metadata=json.loads(metadata) if metadata else None,
    )
