"""How a row says of which codebook generation its cell and code are.

Cells are numbered through: those of the second generation follow those of the first, and so on, so
that a row's cell alone tells its generation. Nothing of a row changes when a generation is added,
and a row that a process writes which knows of the earlier ones alone is right all the same.

Codes lie in the column ``code``, which is as wide as the first generation's codes, or, where those
of a later one are of another width, in a column ``code_WIDTH`` of their own.

The record names its generations in its own configuration, which changes as its rows do: by atomic
commits, of which two at once cannot both succeed, and a version that is past has those of its time.
A record of one generation has no such entry.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from homing.codebooks import Codebook

KEY = "homing.generations"
"""Entry of the record's configuration."""

CODE = "code"
"""Column of the first generation's codes."""


@dataclass(frozen=True, kw_only=True)
class GenerationInfo:
    """Cells and codes of one generation, as the record has them.

    Attributes
    ----------
    fingerprint, codebook : str
        Of the codebook, and its factory string.
    cells : int
        How many it has.
    code_size : int
        Bytes of a code.
    """

    fingerprint: str
    codebook: str
    cells: int
    code_size: int

    @classmethod
    def of(cls, codebook: Codebook) -> "GenerationInfo":
        """What the record has to know of a codebook."""
        return cls(
            fingerprint=codebook.fingerprint,
            codebook=str(codebook.factory),
            cells=codebook.cell_count,
            code_size=codebook.code_size,
        )


@dataclass(frozen=True)
class Generations:
    """The generations of a record, in their order; numbered from 1."""

    parts: tuple[GenerationInfo, ...]

    @classmethod
    def read(cls, config: Mapping[str, str], code_size: int) -> "Generations":
        """Layout that a record's configuration tells.

        Where it tells nothing there is one generation, of which no more than the width is known.

        Raises
        ------
        ValueError
            What it tells is damaged, or of a later homing.

        Parameters
        ----------
        config : mapping of str to str
        code_size : int
            Width of the column ``code``.
        """
        if KEY not in config:
            return cls((GenerationInfo(fingerprint="", codebook="", cells=0, code_size=code_size),))
        try:
            return cls(tuple(GenerationInfo(**each) for each in json.loads(config[KEY])))
        except (TypeError, ValueError) as error:
            raise ValueError(f"its codebook generations cannot be read: {error}") from error

    def text(self) -> str:
        """What stands in the configuration."""
        return json.dumps([asdict(part) for part in self.parts])

    def __len__(self) -> int:
        """Count the generations."""
        return len(self.parts)

    def first_cell(self, number: int) -> int:
        """Number that cell 0 of a generation has in the record."""
        return sum(part.cells for part in self.parts[: number - 1])

    def column(self, number: int) -> str:
        """Column in which the codes of a generation lie."""
        return code_column(self.parts[number - 1].code_size, self.parts[0].code_size)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of codes, each once."""
        return tuple(dict.fromkeys(self.column(number) for number in self.numbers))

    @property
    def numbers(self) -> range:
        """Numbers of all generations."""
        return range(1, len(self.parts) + 1)

    def condition(self, number: int) -> str | None:
        """Which rows are of a generation, as a filter; None if all are."""
        if len(self) == 1:
            return None
        bounds = [f"cell >= {self.first_cell(number)}"] if number > 1 else []
        if number < len(self):
            bounds.append(f"cell < {self.first_cell(number + 1)}")
        return " AND ".join(bounds)

    def generations(self, cells: Sequence[int] | NDArray[np.int32]) -> NDArray[np.int64]:
        """Numbers of the generations that cells, as recorded, are of."""
        firsts = np.array([self.first_cell(n) for n in self.numbers[1:]], dtype=np.int64)
        found: NDArray[np.int64] = np.searchsorted(firsts, np.asarray(cells), side="right") + 1
        return found

    def own(self, cell: int) -> tuple[int, int]:
        """Generation of a cell as recorded, and the number that the cell has in it."""
        number = int(self.generations([cell])[0])
        return number, cell - self.first_cell(number)


def code_column(code_size: int, first_size: int) -> str:
    """Column for codes of a width, where the first generation's have another or the same."""
    return CODE if code_size == first_size else f"{CODE}_{code_size}"
