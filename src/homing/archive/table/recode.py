"""Cells and codes as one record has them, written as another has them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.archive.table.columns import plain_bytes
from homing.archive.table.generations import Generations
from homing.archive.table.rows import row_schema


def schema_of(layout: Generations, dimension: int) -> pa.Schema:
    """Columns of the rows of a layout, for descriptors of `dimension`."""
    schema = row_schema(dimension, layout.parts[0].code_size)
    for number in layout.numbers:
        if layout.column(number) not in schema.names:
            kind = pa.binary(layout.parts[number - 1].code_size)
            schema = schema.append(pa.field(layout.column(number), kind))
    return schema


def of_generation(
    rows: pa.Table, layout: Generations, number: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8]]:
    """Rows of one generation: their places in the table, their own cells, and their codes.

    Parameters
    ----------
    rows : pa.Table
        With the columns of that layout.
    layout : Generations
    number : int
        Of the generation.

    Returns
    -------
    places : array (n,), int64
    cells : array (n,), int32
        As the codebook numbers them.
    codes : array (n, code_size), uint8
    """
    cells = rows.column("cell").to_numpy()
    places = np.flatnonzero(layout.generations(cells) == number)
    column = rows.column(layout.column(number)).combine_chunks()
    codes = plain_bytes(column, layout.parts[number - 1].code_size)
    own = cells[places] - np.int32(layout.first_cell(number))
    return places, own.astype(np.int32, copy=False), codes[places]


def recoded(
    rows: pa.Table,
    theirs: Generations,
    ours: Generations,
    same: Mapping[int, int],
    schema: pa.Schema,
) -> pa.Table:
    """Rows of another layout, as a table of this one.

    Parameters
    ----------
    rows : pa.Table
        As :func:`schema_of` says of `theirs`.
    theirs, ours : Generations
    same : mapping of int to int
        For each generation of `theirs` its number in `ours`.
    schema : pa.Schema
        Of the result: the columns of `ours`, and the others of the table.
    """
    cells = np.zeros(rows.num_rows, np.int32)
    codes: dict[str, list[bytes | None]] = {
        name: [_nothing(schema.field(name))] * rows.num_rows for name in ours.columns
    }
    for their_number, number in same.items():
        places, own, held = of_generation(rows, theirs, their_number)
        cells[places] = own + np.int32(ours.first_cell(number))
        _put(codes[ours.column(number)], places, held)
    columns = {name: pa.array(held, schema.field(name).type) for name, held in codes.items()}
    columns["cell"] = pa.array(cells)
    told = [columns[n] if n in columns else rows.column(n) for n in schema.names]
    return pa.table(told, schema=schema)


def _nothing(field: pa.Field) -> bytes | None:
    """What stands in a column of codes for a row that has its code in another one."""
    return None if field.nullable else bytes(field.type.byte_width)


def _put(
    column: list[bytes | None], places: Sequence[int] | NDArray[np.int64], codes: NDArray[np.uint8]
) -> None:
    for place, code in zip(places, codes, strict=True):
        column[int(place)] = code.tobytes()
