"""Codebook generations in the table: a row's cell says which generation coded it.

Cells are numbered through: those of the second generation follow those of the first, and so on, so
that a row's cell alone tells its generation. No row changes when a generation is added, and a row
from a process that knows only the earlier generations is still right.

Codes are in the column ``code``, which is as wide as the first generation's codes. Codes of another
width are in a column ``code_WIDTH``.

The generations are listed in the table's own configuration. It changes as rows do, by atomic
commits of which two at once cannot both succeed, and an earlier version has the generations of its
time. A table of one generation has no such entry.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from homing.codebooks.codebook import Codebook
from homing.files.small_json import build, parse

KEY = "homing.generations"
"""Entry of the table's configuration."""

CODE = "code"
"""Column of the first generation's codes."""


@dataclass(frozen=True, kw_only=True)
class StoredGeneration:
    """Numbers and widths of one generation, as the table's configuration lists it."""

    fingerprint: str  # of the codebook
    codebook: str  # its factory string
    cells: int
    code_size: int  # bytes

    @classmethod
    def of(cls, codebook: Codebook) -> "StoredGeneration":
        """Take from a codebook what the table needs to know."""
        return cls(
            fingerprint=codebook.fingerprint,
            codebook=str(codebook.factory),
            cells=codebook.cell_count,
            code_size=codebook.code_size,
        )


@dataclass(frozen=True)
class StoredGenerations:
    """The generations of a table, oldest first, numbered from 1."""

    members: tuple[StoredGeneration, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, str], code_size: int) -> "StoredGenerations":
        """Read a table's configuration; without an entry, only the code size is known.

        Raises ValueError if the entry is damaged or of a later homing.
        """
        if KEY not in config:
            first = StoredGeneration(fingerprint="", codebook="", cells=0, code_size=code_size)
            return cls((first,))
        try:
            stored = tuple(build(StoredGeneration, each) for each in parse(config[KEY]))
        except (TypeError, ValueError) as error:
            raise ValueError(f"its codebook generations cannot be read: {error}") from error
        if not stored:
            raise ValueError("its codebook generations cannot be read: there is none")
        return cls(stored)

    def to_json(self) -> str:
        """Return the text of the configuration's entry."""
        return json.dumps([asdict(member) for member in self.members])

    def __len__(self) -> int:
        """Count the generations."""
        return len(self.members)

    @property
    def numbers(self) -> range:
        """Numbers of all generations."""
        return range(1, len(self.members) + 1)

    def first_cell(self, number: int) -> int:
        """Number in the table of a generation's cell 0."""
        return sum(member.cells for member in self.members[: number - 1])

    def code_column(self, number: int) -> str:
        """Column with the codes of a generation."""
        return code_column_name(self.members[number - 1].code_size, self.members[0].code_size)

    @property
    def code_columns(self) -> tuple[str, ...]:
        """All columns of codes, each once."""
        return tuple(dict.fromkeys(self.code_column(number) for number in self.numbers))

    def condition(self, number: int) -> str | None:
        """Filter for the rows of a generation; None if all are."""
        if len(self) == 1:
            return None
        bounds = [f"cell >= {self.first_cell(number)}"] if number > 1 else []
        if number < len(self):
            bounds.append(f"cell < {self.first_cell(number + 1)}")
        return " AND ".join(bounds)

    def numbers_of(self, cells: Sequence[int] | NDArray[np.int32]) -> NDArray[np.int64]:
        """Generation numbers of cells as stored."""
        firsts = np.array([self.first_cell(n) for n in self.numbers[1:]], dtype=np.int64)
        numbers: NDArray[np.int64] = np.searchsorted(firsts, np.asarray(cells), side="right") + 1
        return numbers

    def split_cell(self, cell: int) -> tuple[int, int]:
        """Split a cell as stored into its generation and the cell's number in that one."""
        number = int(self.numbers_of([cell])[0])
        return number, cell - self.first_cell(number)


def code_column_name(code_size: int, first_size: int) -> str:
    """Column for codes of a size in a table whose first generation has another or the same."""
    return CODE if code_size == first_size else f"{CODE}_{code_size}"
