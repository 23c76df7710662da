"""Further places of an entry: cells beside its own in which it is held, each with a code.

Released pictures are held in the cells nearest to their vector, into which many of the copies fall
that have left their own. A row has all of them in one value of the column ``places``: for each the
cell, as the codebook of the row's generation numbers it, in four bytes, then the code there. Only
archives made to hold entries in several cells have the column, which says how many an entry has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from homing.codebooks.codebook import Codebook
from homing.codebooks.near_cells import FurtherPlaces

PLACES = "places"
"""Name of the column."""

_MOST = b"homing:most"
_CELL = np.dtype("<i4")

Cells = NDArray[np.int32]
Codes = NDArray[np.uint8]


def places_field(most: int) -> pa.Field:
    """Return the column of an archive whose released entries have so many places in all."""
    return pa.field(PLACES, pa.binary(), metadata={_MOST: str(most)})


def most_places(schema: pa.Schema) -> int:
    """Return the number of places of a released entry; 1 without the column."""
    if PLACES not in schema.names:
        return 1
    return int((schema.field(PLACES).metadata or {}).get(_MOST, b"2"))


def places_of(
    codebook: Codebook, vectors: NDArray[np.float32], released: Sequence[bool], most: int
) -> list[bytes | None]:
    """Return the values of rows with stored vectors (n, D), of which only some are released."""
    values: list[bytes | None] = [None] * len(vectors)
    own = np.flatnonzero(released)
    several = min(most, codebook.cell_count) - 1
    if not len(own) or not several:  # without a look at cells
        return values
    cells = codebook.nearest_cells(vectors[own], several + 1)[:, 1:]
    codes = codebook.encode(np.repeat(vectors[own], several, axis=0), cells.ravel())
    each = codes.reshape(len(own), several, -1)
    for row, there, code in zip(own.tolist(), cells, each, strict=True):
        values[row] = pack_places(there, code)
    return values


def pack_places(cells: Sequence[int] | Cells, codes: Codes) -> bytes | None:
    """Return the value of a row with m further places, codes (m, code_size); None without any."""
    pairs = zip(np.asarray(cells, _CELL), codes, strict=True)
    return b"".join(cell.tobytes() + code.tobytes() for cell, code in pairs) or None


def unpack_places(value: bytes | None, code_size: int) -> tuple[Cells, Codes]:
    """Return the cells (m,) and codes (m, code_size) of a row's value; ValueError if damaged."""
    width = _CELL.itemsize + code_size
    records = np.frombuffer(value or b"", np.uint8)
    if len(records) % width:
        raise ValueError("its further places are cut off")
    return _split(records.reshape(-1, width))


def _split(records: NDArray[np.uint8]) -> tuple[Cells, Codes]:
    cells = np.ascontiguousarray(records[:, : _CELL.itemsize]).view(_CELL).ravel()
    return cells.astype(np.int32), np.ascontiguousarray(records[:, _CELL.itemsize :])


@dataclass(frozen=True)
class PackedPlaces:
    """The values of those rows that have further places."""

    rows: NDArray[np.int64]  # (r,), ascending
    lengths: NDArray[np.int64]  # (r,), bytes
    data: NDArray[np.uint8]  # of all, one after the other

    @classmethod
    def of(cls, column: pa.BinaryArray, first: int = 0) -> "PackedPlaces":
        """Take a column, whose first row has a number."""
        filled = column.fill_null(b"")
        ends = np.frombuffer(filled.buffers()[1], np.int32)
        ends = ends[filled.offset : filled.offset + len(filled) + 1]
        data = filled.buffers()[2]
        lengths = np.diff(ends).astype(np.int64)
        rows = np.flatnonzero(lengths)
        held = np.frombuffer(data if data is not None else b"", np.uint8)[ends[0] : ends[-1]]
        return cls(rows + first, lengths[rows], held.copy())

    @classmethod
    def joined(cls, parts: "Sequence[PackedPlaces]") -> "PackedPlaces":
        """Join parts whose rows follow one another."""
        none = cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
        every = [none, *parts]
        return cls(
            np.concatenate([part.rows for part in every]),
            np.concatenate([part.lengths for part in every]),
            np.concatenate([part.data for part in every]),
        )

    def unpack(self, code_size: int, rows: NDArray[np.int64] | None = None) -> FurtherPlaces:
        """Return the places of all rows, or of some, ascending; owners are positions in these."""
        owners, lengths, data = self.rows, self.lengths, self.data
        if rows is not None:
            chosen = np.isin(owners, rows)
            data = data[np.repeat(chosen, lengths)]
            owners, lengths = np.searchsorted(rows, owners[chosen]), lengths[chosen]
        width = _CELL.itemsize + code_size
        cells, codes = _split(data[: len(data) // width * width].reshape(-1, width))
        return FurtherPlaces(np.repeat(owners, lengths // width)[: len(cells)], cells, codes)
